import { access } from 'node:fs/promises'
import type { MasterFacts } from '../controlplane/kubeadm-config.ts'
import { HoldfastError } from '../errors.ts'
import type { InstanceGroupSpec } from '../spec/types.ts'
import { keys } from '../store/keys.ts'
import type { AgentContext } from './context.ts'
import { parseYaml } from './yaml.ts'

/** The label of every node of ours: the name of its instance group. */
export const groupLabel = 'holdfast.dev/group'

/**
 * What kubelet and kubeadm are told about this machine.
 *
 * @throws HoldfastError `group-unknown`: without its group a node would lack labels and taints, for good
 */
export async function nodeFacts(context: AgentContext): Promise<MasterFacts> {
  const { identity, cluster } = context
  const { stored } = await context.store.recall(keys.group(identity.cluster, identity.group))
  if (!stored) {
    throw new HoldfastError('group-unknown', `the state store has no instance group ${identity.group} for it`)
  }
  const { nodeLabels, taints } = (parseYaml(stored.value) as InstanceGroupSpec).spec
  const unified = await access('/sys/fs/cgroup/cgroup.controllers').then(
    () => true,
    () => false,
  )
  return {
    cluster,
    nodeName: identity.machineId,
    zone: identity.zone,
    address: identity.address,
    endpoint: identity.endpoint,
    resolvConf: '/etc/resolv.conf',
    cgroupDriver: unified ? 'systemd' : 'cgroupfs',
    nodeLabels: { [groupLabel]: identity.group, ...nodeLabels },
    taints,
  }
}
