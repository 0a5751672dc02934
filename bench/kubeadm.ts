import { randomBytes } from 'node:crypto'
import { componentVersions } from '../src/assets/versions.ts'
import { cgroupVersion } from '../src/clouds/local/machine-cgroup.ts'
import { kubernetes } from '../src/constants.ts'
import { initConfiguration, joinConfiguration, type KubeadmFacts, podNetwork } from './kubeadm-config.ts'
import { type KubeadmMachine, withBareMachines } from './kubeadm-machines.ts'
import { quietDisk } from './quiet-disk.ts'

const phaseTimeoutMs = 240_000
const configuration = '/root/kubeadm.yaml'

/**
 * What people do by hand: `kubeadm init`, two control-plane joins one after the other, one worker
 * join, then waiting until all nodes are Ready and CoreDNS is Available. A fresh PKI each time.
 *
 * @returns seconds from the first command; the machines are booted already.
 */
export async function withKubeadmCluster(folder: string, say: (text: string) => void): Promise<number> {
  return withBareMachines(folder, async (machines) => {
    const [first, ...others] = machines
    if (!first) throw new Error('no machine to begin with')
    const facts: KubeadmFacts = {
      kubernetesVersion: kubernetes.defaultVersion,
      etcdVersion: componentVersions(kubernetes.defaultVersion).etcd,
      controlPlane: first.address,
      cgroupDriver: cgroupVersion() === 2 ? 'systemd' : 'cgroupfs',
      token: `${randomBytes(3).toString('hex')}.${randomBytes(8).toString('hex')}`,
      certificateKey: randomBytes(32).toString('hex'),
    }
    for (const [index, machine] of machines.entries()) {
      await machine.host.writeFile('/etc/cni/net.d/10-bench.conflist', podNetwork(index + 1), { mode: 0o644 })
      const text =
        machine === first
          ? initConfiguration(facts, machine.id, machine.address)
          : joinConfiguration(facts, machine.id, machine.address, machine.role)
      await machine.host.writeFile(configuration, text)
    }
    await quietDisk()
    const began = performance.now()
    const passed = (): number => (performance.now() - began) / 1000
    await kubeadm(first, 'init', ['--upload-certs', '--skip-token-print'])
    const times = [passed()]
    for (const machine of others) {
      await kubeadm(machine, 'join', [])
      times.push(passed())
    }
    await untilAvailable(first)
    const total = passed()
    say(
      `kubeadm: init and joins done at ${times.map((time) => time.toFixed(1)).join(', ')} s, all at ${total.toFixed(1)} s`,
    )
    return total
  })
}

async function kubeadm(machine: KubeadmMachine, verb: 'init' | 'join', more: string[]): Promise<void> {
  const command = ['kubeadm', verb, '--config', configuration, '--ignore-preflight-errors=all', ...more]
  await machine.host.run(['env', ...command], { timeoutMs: phaseTimeoutMs })
}

async function untilAvailable(first: KubeadmMachine): Promise<void> {
  const wait = ['kubectl', '--kubeconfig=/etc/kubernetes/admin.conf', 'wait', '--timeout=180s'] as const
  await first.host.run([...wait, '--for=condition=Ready', 'nodes', '--all'], { timeoutMs: phaseTimeoutMs })
  await first.host.run(
    [...wait, '--namespace=kube-system', '--for=condition=Available', 'deployment/coredns'],
    { timeoutMs: phaseTimeoutMs },
  )
}
