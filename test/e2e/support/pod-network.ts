/**
 * Started by pod-network.test.ts in network and mount namespaces of its own, with empty /etc and /sys: keeps
 * the pod network of a machine whose nodes and kernel change. Prints what the kernel has after each change.
 *   pod-network.ts vxlan|routed
 * The agent is a process of its own that is killed and started again: pod-network.ts vxlan|routed agent
 */
import { type ChildProcess, execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AgentContext } from '../../../src/agent/context.ts'
import type { Node } from '../../../src/agent/node-watch.ts'
import { keepPodNetwork } from '../../../src/agent/pod-network.ts'
import { cniConfigFile } from '../../../src/network/cni.ts'

const kind = process.argv[2] === 'routed' ? 'routed' : 'vxlan'
const run = (line: string): string => {
  const [file = '', ...args] = line.split(' ')
  return execFileSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}
const json = (line: string) => JSON.parse(run(line) || '[]')

const nodeOf = (number: number): [string, Node] => [
  `node-${number}`,
  {
    metadata: { name: `node-${number}`, uid: `0000000${number}-0000-0000-0000-000000000000` },
    spec: { podCIDR: `10.244.${number}.0/24` },
    status: { addresses: [{ type: 'InternalIP', address: `10.9.0.${number}` }] },
  },
]

function runAgent(): void {
  let nodes = new Map<string, Node>()
  const context = {
    identity: { machineId: 'node-1', address: '10.9.0.1' },
    cluster: { spec: { networking: { kind, podCidr: '10.244.0.0/16' } } },
    say: (_: string, reason: string | undefined) => process.send?.(reason ?? 'done'),
  } as unknown as AgentContext
  const { nudge } = keepPodNetwork(context, () => nodes, 200)
  process.on('message', (numbers: number[]) => {
    nodes = new Map(numbers.map(nodeOf))
    nudge()
  })
}

const lines = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .sort()

const look = () => ({
  index: json('ip -json link show type vxlan')[0]?.ifindex,
  routes: lines(run('ip route show')),
  neighbours: lines(run('ip neigh show nud permanent')),
  forwarding: lines(run('bridge fdb show')).filter((line) => line.includes('hf-vxlan')),
  address: run('ip -4 -brief address show').includes('10.244.1.0/32'),
  masquerade: run('nft list ruleset').includes('masquerade'),
  cni: existsSync(cniConfigFile),
})

let agent: ChildProcess | undefined
let said: string[] = []
/** The first word may be of a look that began before the change; the second one is not. */
async function settle(): Promise<void> {
  said = []
  while (said.length < 2) await sleep(10)
}

async function startAgent(nodes: number[]): Promise<void> {
  if (agent) {
    agent.kill('SIGKILL')
    await once(agent, 'exit')
  }
  agent = fork(import.meta.filename, [kind, 'agent'], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  agent.on('message', (word) => said.push(String(word)))
  agent.send(nodes)
  await settle()
}

async function main(): Promise<void> {
  run('ip link set lo up')
  run('ip link add eth0 type bridge')
  run('ip address add 10.9.0.1/24 dev eth0')
  run('ip link set eth0 up')
  // Somebody else's, of which nothing may be touched.
  run('ip route add 192.168.7.0/24 via 10.9.0.77 dev eth0')
  run('ip neigh add 10.9.0.77 lladdr 02:00:00:00:00:77 dev eth0 nud permanent')

  const seen: Record<string, unknown> = {}
  await startAgent([1, 2, 3])
  seen['first'] = look()

  await startAgent([1, 2, 3])
  seen['agent started again'] = look()

  run('ip route del 10.244.2.0/24')
  run('nft flush ruleset')
  if (kind === 'vxlan') {
    run('ip neigh del 10.244.3.0 dev hf-vxlan')
    run('bridge fdb del 02:00:00:00:03:00 dev hf-vxlan dst 10.9.0.3')
    run('ip address del 10.244.1.0/32 dev hf-vxlan')
  }
  await settle()
  seen['entries removed'] = look()

  if (kind === 'vxlan') run('ip link set hf-vxlan down')
  await settle()
  seen['device down'] = look()

  if (kind === 'vxlan') run('ip link del hf-vxlan')
  await settle()
  seen['device removed'] = look()

  // A folder that cannot be written to: each attempt fails, and none may harm what is there.
  rmSync('/etc/cni', { recursive: true })
  writeFileSync('/etc/cni', '')
  await settle()
  seen['failing'] = { ...look(), said: said.join() }
  rmSync('/etc/cni')
  mkdirSync('/etc/cni')

  await startAgent([1, 3, 4])
  seen['node gone while no agent ran'] = look()

  agent?.send([1, 4])
  await settle()
  seen['node gone'] = look()
  agent?.kill('SIGKILL')
  process.stdout.write(JSON.stringify(seen))
}

if (process.argv[3] === 'agent') runAgent()
else await main()
