import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { parse, parseDocument } from 'yaml'
import {
  get,
  isReady,
  type KubeList,
  type Node,
  nodes,
  type Pod,
  type Target,
  targetOf,
} from './support/client.ts'
import { holdfast, mustRun } from './support/holdfast.ts'
import { kubectl } from './support/kubectl.ts'
import { inside, inventory, machinesOf, members } from './support/machines.ts'
import { clusterName, kubeconfigBefore, kubeconfigFile } from './support/place.ts'
import { type State, sharedCluster } from './support/state.ts'
import { defined, eventually } from './support/wait.ts'

let state: State
let target: Target

beforeAll(async () => {
  state = await sharedCluster()
  target = targetOf(clusterName)
})

/** Parts of a Kubernetes object that hold its command line. */
const flagsOf = async (component: string): Promise<string[]> => {
  const label = encodeURIComponent(`component=${component}`)
  const pods = await get<KubeList<{ spec: { containers: { command: string[] }[] } }>>(
    target,
    `/api/v1/namespaces/kube-system/pods?labelSelector=${label}`,
  )
  return pods.items.map(({ spec }) => spec.containers[0]?.command.join(' ') ?? '')
}

interface Kubeconfig {
  clusters: { cluster: { server: string } }[]
  users: { user: Record<string, string> }[]
}

const kubeletConf = async (machine: { id: string }) =>
  parse(await inside(machine, 'cat /etc/kubernetes/kubelet.conf')) as Kubeconfig

const serversOf = ({ clusters }: Kubeconfig) => clusters.map(({ cluster }) => cluster.server)

const kubeProxyConfig = async (file: string) => {
  const path = '/api/v1/namespaces/kube-system/configmaps/kube-proxy'
  const { data } = await get<{ data: Record<string, string> }>(target, path)
  return parse(defined(data[file], file))
}

describe('up', () => {
  test('ends with 0 within three times the bound, and says what to do next', () => {
    const up = defined(state.up, 'first up')

    expect(up.code).toBe(0)
    console.log(`up took ${up.ms / 1000} s`)
    expect(up.ms).toBeLessThan(60_000 + Number(process.env.HOLDFAST_E2E_PATIENCE_S ?? 0) * 1000)
    expect(up.out).toContain(`kubectl --context holdfast-${clusterName} get nodes`)
  })

  test('merges its context into the kubeconfig and touches nothing else there', () => {
    const text = readFileSync(kubeconfigFile, 'utf8')
    const merged = parse(text)
    const before = parse(kubeconfigBefore)

    for (const list of ['contexts', 'clusters', 'users']) {
      expect(merged[list]).toHaveLength(2)
      expect(merged[list][0]).toEqual(before[list][0])
      expect(merged[list][1].name).toBe(`holdfast-${clusterName}`)
    }
    expect(merged['current-context']).toBe(`holdfast-${clusterName}`)
    expect(merged.preferences).toEqual({ colors: true })
    expect(text).toContain('# my clusters')
    expect(statSync(kubeconfigFile).mode & 0o777).toBe(0o600)
    expect(parseDocument(text).errors).toEqual([])
  })

  test('once more changes nothing: the same machines, volumes and files', async () => {
    const before = await inventory()
    const kubeconfig = readFileSync(kubeconfigFile, 'utf8')

    const out = await mustRun(['up', clusterName])

    expect(out).toContain('nothing had to be changed')
    const after = await inventory()
    expect(after.machines).toEqual(before.machines)
    expect(after.volumes).toEqual(before.volumes)
    expect(readFileSync(kubeconfigFile, 'utf8')).toBe(kubeconfig)
  })

  test.each([
    [['--masters', '1'], 'master'],
    [['--zones', 'a,b'], 'zones'],
    [['--pod-cidr', '10.250.0.0/16'], 'podCidr'],
    [['--networking', 'routed'], 'networking.kind'],
    [['--egress', 'nat'], 'egress'],
  ])('with %j is refused, naming it, and changes nothing', async (flags, named) => {
    const before = await inventory()

    const ran = await holdfast(['up', clusterName, ...flags])

    expect(ran.code).toBe(2)
    expect(ran.err).toContain(named)
    expect(await inventory()).toEqual(before)
  })
})

describe('the machines', () => {
  test('are three masters in three zones and a worker, each a node by a name of its own', async () => {
    const masters = await machinesOf('master')
    const workers = await machinesOf('node')
    const found = await nodes(target)

    expect(masters.map(({ zone }) => zone)).toEqual(['a', 'b', 'c'])
    expect(workers).toHaveLength(1)
    expect(found.map(({ metadata }) => metadata.name).sort()).toEqual(
      [...masters, ...workers].map(({ id }) => id).sort(),
    )
    expect(found.filter((node) => !isReady(node))).toEqual([])
    for (const machine of [...masters, ...workers]) {
      const node = defined(
        found.find(({ metadata }) => metadata.name === machine.id),
        machine.id,
      )
      expect(node.metadata.labels['topology.kubernetes.io/zone']).toBe(machine.zone)
      expect(node.status.addresses).toContainEqual({ type: 'InternalIP', address: machine.address })
    }
  })

  test('masters are tainted and labelled, the worker is neither', async () => {
    const isMaster = (node: Node) => node.metadata.name.startsWith('master-')
    const label = 'node-role.kubernetes.io/control-plane'
    const found = await nodes(target)

    expect(found.filter(isMaster)).toHaveLength(3)
    for (const node of found) {
      expect(label in node.metadata.labels).toBe(isMaster(node))
      expect(node.spec.taints?.some(({ key }) => key === label) ?? false).toBe(isMaster(node))
    }
  })

  test('masters’ kubelets use the certificate that is rotated, not the first one, which kubeadm embeds', async () => {
    const rotated = '/var/lib/kubelet/pki/kubelet-client-current.pem'
    const masters = await machinesOf('master')

    expect(masters).toHaveLength(3)
    for (const master of masters) {
      const users = (await kubeletConf(master)).users.map(({ user }) => user)
      expect(users).toEqual([{ 'client-certificate': rotated, 'client-key': rotated }])
    }
  })

  test('the worker’s kubelet and kube-proxy know the endpoint only, and no master', async () => {
    const workers = await machinesOf('node')

    expect(workers).toHaveLength(1)
    for (const worker of workers) expect(serversOf(await kubeletConf(worker))).toEqual([target.server])
    expect(serversOf(await kubeProxyConfig('kubeconfig.conf'))).toEqual([target.server])
  })

  test('every node shows its pods’ logs: kubelets’ serving certificates are signed', async () => {
    const { items } = await get<KubeList<Pod>>(
      target,
      `/api/v1/namespaces/kube-system/pods?labelSelector=${encodeURIComponent('k8s-app=kube-proxy')}`,
    )

    expect(items).toHaveLength(4)
    for (const pod of items) {
      const { code, stdout, stderr } = await kubectl(['-n', 'kube-system', 'logs', pod.metadata.name])
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(stdout.length).toBeGreaterThan(100)
    }
  })
})

describe('etcd', () => {
  test.each(['main', 'events'] as const)('%s has three voters under the seats’ names', async (etcd) => {
    for (const machine of await machinesOf('master')) {
      const found = await members(machine, etcd)
      expect(found.map(({ name, started, learner }) => ({ name, started, learner }))).toEqual(
        ['a', 'b', 'c'].map((name) => ({ name, started: true, learner: false })),
      )
      for (const { name, peerUrl } of found) {
        expect(peerUrl).toMatch(new RegExp(`^https://${name}\\.${etcd}\\.${clusterName}\\.internal:\\d+$`))
      }
    }
  })

  test('has its data on six volumes of its own, each mounted on its seat’s master', async () => {
    const { volumes } = await inventory()
    const masters = await machinesOf('master')

    expect(volumes.map(({ seat, etcd }) => `${seat}/${etcd}`).sort()).toEqual(
      ['a', 'b', 'c'].flatMap((seat) => [`${seat}/events`, `${seat}/main`]),
    )
    for (const master of masters) {
      for (const etcd of ['main', 'events'] as const) {
        const volume = defined(
          volumes.find((one) => one.attachedTo === master.id && one.etcd === etcd),
          `volume of ${master.id} for ${etcd}`,
        )
        expect(volume.zone).toBe(master.zone)
        const where = `/var/lib/holdfast/volumes/${etcd}`
        const script = `findmnt -n -o SOURCE ${where}; ls ${where}/*/member/wal/*.wal | wc -l`
        const [source, walFiles] = (await inside(master, script)).trim().split('\n')
        expect(source).toContain(volume.id)
        expect(Number(walFiles)).toBeGreaterThan(0)
      }
    }
  })

  test('`events` holds the events, and `main` none', async () => {
    const master = defined((await machinesOf('master'))[0], 'master')
    const count = async (port: number) => {
      const pki = '/etc/kubernetes/pki/etcd'
      const proof = `--cacert=${pki}/ca.crt --cert=${pki}/server.crt --key=${pki}/server.key`
      const words = `get /registry/events/ --prefix --keys-only --limit=20`
      return (await inside(master, `etcdctl --endpoints=https://127.0.0.1:${port} ${proof} ${words}`)).trim()
    }

    expect(await count(4002)).toContain('/registry/events/')
    expect(await count(2379)).toBe('')
  })
})

describe('the control plane', () => {
  test('hands leadership over after 10/7/1 s', async () => {
    for (const component of ['kube-controller-manager', 'kube-scheduler']) {
      const commands = await flagsOf(component)
      expect(commands).toHaveLength(3)
      for (const command of commands) {
        expect(command).toContain('--leader-elect-lease-duration=10s')
        expect(command).toContain('--leader-elect-renew-deadline=7s')
        expect(command).toContain('--leader-elect-retry-period=1s')
      }
    }
  })

  test('kube-proxy runs in nftables mode, and its rules are there', async () => {
    expect((await kubeProxyConfig('config.conf')).mode).toBe('nftables')
    for (const machine of (await inventory()).machines) {
      expect(await inside(machine, 'nft list table ip kube-proxy')).toContain(
        '10.96.0.1 . tcp . 443 : goto service-',
      )
    }
  })

  test('CoreDNS has two pods, in different zones', async () => {
    const zones = new Map((await inventory()).machines.map(({ id, zone }) => [id, zone]))
    const label = encodeURIComponent('k8s-app=kube-dns')

    // Available with one; the other one waits for a node of another zone.
    await eventually('the second one is ready', 60_000, async () => {
      const path = `/api/v1/namespaces/kube-system/pods?labelSelector=${label}`
      const { items } = await get<KubeList<Pod>>(target, path)
      expect(items).toHaveLength(2)
      expect(items.filter(isReady)).toHaveLength(2)
      expect(new Set(items.map(({ spec }) => zones.get(spec.nodeName ?? ''))).size).toBe(2)
    })
  })

  test('the API is reached through the endpoint, whose name and address are in every certificate', async () => {
    const { endpoint } = await inventory()
    const { address, port } = defined(endpoint, 'endpoint')

    expect(target.server).toBe(`https://${address}:${port}`)
    const certificates = new Set<string>()
    for (const master of await machinesOf('master')) {
      const text = await inside(master, 'cat /etc/kubernetes/pki/apiserver.crt')
      const names = execFileSync('openssl', ['x509', '-noout', '-ext', 'subjectAltName'], { input: text })
      expect(String(names)).toContain(`IP Address:${address}`)
      expect(String(names)).toContain(`DNS:api.${clusterName}.internal`)
      certificates.add(createHash('sha256').update(text).digest('hex'))
    }
    expect(certificates.size).toBe(3)
  })
})
