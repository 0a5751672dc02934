import { access } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { HoldfastError } from '../../errors.ts'
import type { CloudStep } from '../cloud.ts'
import { ensureBalancer, stopBalancer } from './daemon-balancer.ts'
import { forgetIfEmpty } from './daemon-machines.ts'
import { type HeldCluster, holdCluster, type Runtime, updateCluster, updateMachine } from './daemon-state.ts'
import { createVolume, deleteVolume, rememberSize } from './daemon-volumes.ts'
import type { MachineAssets } from './parts.ts'
import { clusterNames, localPaths, readCluster, readClusterRecord, writeRecord } from './records.ts'

/** What the operator's side knows and the daemon does not; kept in the records. */
export interface StepContext {
  storeUrl: string
  assets?: MachineAssets
}

const goneTimeoutMs = 30_000

/** Carries out one step of the contract. A step that is already true does nothing. */
export async function carryOut(
  runtime: Runtime,
  name: string,
  step: CloudStep,
  context: StepContext,
): Promise<void> {
  assertName(name)
  if (step.action === 'create-network' && !runtime.clusters.has(name))
    await createCluster(runtime, name, context.storeUrl)
  const held = runtime.clusters.get(name)
  if (!held) {
    if (step.action.startsWith('delete-') || step.action === 'terminate-machine') return
    throw new HoldfastError('network-missing', `The local cloud has nothing of ${name} yet`, {
      remedy: 'Create its network first.',
    })
  }
  const deletes = step.action.startsWith('delete-')
  try {
    await act(runtime, held, step, context)
  } finally {
    // Also a network that could not be made leaves nothing.
    if (deletes || step.action === 'create-network') await forgetIfEmpty(runtime, held, { deletes })
  }
}

async function act(
  runtime: Runtime,
  held: HeldCluster,
  step: CloudStep,
  context: StepContext,
): Promise<void> {
  const { home, actions } = runtime
  switch (step.action) {
    case 'create-network':
      return await createNetwork(runtime, held, step, context)
    case 'create-endpoint':
      return await createEndpoint(runtime, held, step.port)
    case 'create-volume':
      await rememberSize(runtime, held, step.volume.etcd, step.volume.sizeGib)
      await createVolume(runtime, held, step.volume)
      return
    case 'set-group':
      return await setGroup(runtime, held, step, context)
    case 'terminate-machine': {
      await updateMachine(home, held, step.machine, (machine) => ({ ...machine, doomed: step.reason }))
      return await untilGone(runtime, held, () => [step.machine])
    }
    case 'delete-group': {
      await updateCluster(home, held, (cluster) => {
        const { [step.group]: _gone, ...groups } = cluster.groups
        return { ...cluster, groups }
      })
      return await untilGone(runtime, held, () => membersOf(held, step.group))
    }
    case 'delete-volume':
      return await deleteVolume(runtime, held, step.volume)
    case 'delete-endpoint':
      if (!held.cluster.endpoint) return
      await stopBalancer(runtime, held)
      return await updateCluster(home, held, ({ endpoint: _gone, ...cluster }) => cluster)
    case 'delete-network':
      if (!held.cluster.network) return
      if (held.machines.size > 0 || held.cluster.endpoint) {
        throw new HoldfastError(
          'network-in-use',
          `${held.name} still has machines or an endpoint on its network`,
          {
            remedy: 'Delete the groups and the endpoint first.',
          },
        )
      }
      await actions.deleteNetwork(home, held.cluster)
      return await updateCluster(home, held, ({ network: _gone, ...cluster }) => cluster)
  }
}

async function createCluster(runtime: Runtime, name: string, storeUrl: string): Promise<void> {
  // A record that could not be read at the start must not be written over: this throws again.
  await readCluster(runtime.home, name)
  const leftAlone = await indexesLeftAlone(runtime)
  const used = new Set([...[...runtime.clusters.values()].map(({ cluster }) => cluster.index), ...leftAlone])
  let index = 0
  while (used.has(index)) index++
  const cluster = { name, index, groups: {}, storeUrl }
  // In memory first: another cluster must not take the same index while this is being written.
  const held = holdCluster(cluster)
  runtime.clusters.set(name, held)
  await writeRecord(localPaths(runtime.home).clusterRecord(name), cluster)
}

/**
 * Indexes of the clusters that are left alone because a record of theirs is broken: their machines are
 * on their bridges all the same.
 * @throws HoldfastError `record-broken` where the index itself cannot be read: it may be any.
 */
async function indexesLeftAlone({ home, clusters }: Runtime): Promise<number[]> {
  const names = (await clusterNames(home)).filter((name) => !clusters.has(name))
  const records = await Promise.all(names.map((name) => readClusterRecord(home, name)))
  return records.flatMap((record) => (record ? [record.index] : []))
}

async function createNetwork(
  runtime: Runtime,
  held: HeldCluster,
  step: CloudStep & { action: 'create-network' },
  context: StepContext,
): Promise<void> {
  const { network } = held.cluster
  if (network && ((step.cidr && step.cidr !== network.cidr) || step.egress !== network.egress)) {
    throw new HoldfastError(
      'network-differs',
      `The network of ${held.name} is ${network.cidr} with egress ${network.egress}; asked for ${step.cidr ?? network.cidr} with egress ${step.egress}`,
      { remedy: 'A network stays as it is; delete the cluster to make it another way.' },
    )
  }
  const cidr = network?.cidr ?? step.cidr
  const { home, actions } = runtime
  try {
    const made = await actions.ensureNetwork(home, held.cluster, {
      ...(cidr ? { cidr } : {}),
      ...(step.taken ? { taken: step.taken } : {}),
      egress: step.egress,
    })
    await updateCluster(home, held, (cluster) => ({ ...cluster, network: made, storeUrl: context.storeUrl }))
  } catch (error) {
    // Half a bridge that no record names would be a stranger's route to whoever tries again.
    if (!network) await actions.deleteNetwork(home, held.cluster).catch(() => {})
    throw error
  }
  held.networkThere = true
}

async function createEndpoint(runtime: Runtime, held: HeldCluster, port: number): Promise<void> {
  const { network, endpoint } = held.cluster
  if (!network) throw new HoldfastError('network-missing', `${held.name} has no network yet, so no endpoint`)
  if (endpoint && endpoint.port !== port) {
    throw new HoldfastError(
      'endpoint-differs',
      `The endpoint of ${held.name} has port ${endpoint.port}, not ${port}`,
      {
        remedy: 'An endpoint stays as it is; delete the cluster to make it another way.',
      },
    )
  }
  if (!endpoint) {
    const made = { address: network.gateway, port }
    await updateCluster(runtime.home, held, (cluster) => ({ ...cluster, endpoint: made }))
  }
  await ensureBalancer(runtime, held)
}

async function setGroup(
  runtime: Runtime,
  held: HeldCluster,
  step: CloudStep & { action: 'set-group' },
  context: StepContext,
): Promise<void> {
  const { group, userData } = step
  assertName(group.name)
  const known = held.cluster.groups[group.name]
  const assets = context.assets ?? known?.assets
  if (!assets)
    throw new HoldfastError('assets-missing', `Nobody said what machines of group ${group.name} are made of`)
  if (!held.cluster.endpoint) {
    throw new HoldfastError(
      'endpoint-missing',
      `${held.name} has no endpoint yet, so machines could not be told of it`,
      {
        remedy: 'Create the endpoint before the groups.',
      },
    )
  }
  if (known && known.role !== group.role) {
    throw new HoldfastError('group-differs', `Group ${group.name} has role ${known.role}, not ${group.role}`)
  }
  await assertThere(assets)
  // Whoever sets a group again wants it tried again at once: former deaths do not count.
  const next = { ...group, userData, assets }
  await updateCluster(runtime.home, held, (cluster) => ({
    ...cluster,
    storeUrl: context.storeUrl,
    groups: { ...cluster.groups, [group.name]: next },
  }))
  runtime.wake()
  // Growing goes on in the background, so that groups start together; shrinking is over when it says so.
  if (membersOf(held, group.name).length > group.size) {
    await untilGone(runtime, held, () => membersOf(held, group.name).slice(group.size))
  }
}

const membersOf = (held: HeldCluster, group: string): string[] =>
  [...held.machines.values()].filter((machine) => machine.group === group).map(({ id }) => id)

async function assertThere(assets: MachineAssets): Promise<void> {
  const { agentSha256: _notAPath, ...paths } = assets
  for (const [name, path] of Object.entries(paths)) {
    try {
      await access(path)
    } catch (cause) {
      throw new HoldfastError('assets-missing', `${name} is not at ${path}`, {
        cause,
        remedy: 'Run `holdfast assets fetch`.',
      })
    }
  }
}

/** Waits until none of these machines is left. @throws HoldfastError `machine-not-gone`. */
async function untilGone(runtime: Runtime, held: HeldCluster, which: () => string[]): Promise<void> {
  const until = performance.now() + goneTimeoutMs
  runtime.wake()
  for (;;) {
    const left = which().filter((id) => held.machines.has(id))
    if (left.length === 0) return
    if (performance.now() > until) {
      const states = left.map(
        (id) => `${id} (${held.machines.get(id)?.trouble ?? held.busy.get(id) ?? 'not begun'})`,
      )
      throw new HoldfastError(
        'machine-not-gone',
        `Still there after ${goneTimeoutMs / 1000} s: ${states.join(', ')}`,
        {
          remedy: 'Repeat the command; the log of the local cloud says more.',
        },
      )
    }
    await sleep(10)
  }
}

/** Names become folders and interface names. */
function assertName(name: string): void {
  if (/^[a-z0-9]([a-z0-9.-]{0,98}[a-z0-9])?$/.test(name) && !name.includes('..')) return
  throw new HoldfastError(
    'name-invalid',
    `${JSON.stringify(name)} is no name for a cluster or group of the local cloud`,
    {
      remedy: 'Use lower-case letters, digits, dots and dashes.',
    },
  )
}
