import { readFile } from 'node:fs/promises'
import { messageOf } from '../errors.ts'
import { cniConfigFile, masqueradeRule, renderCniConfig, renderMasquerade } from '../network/cni.ts'
import {
  type Kernel,
  type PodRoutes,
  podNetworkCommands,
  routeProtocol,
  wantedRoutes,
} from '../network/pod-network.ts'
import { command } from './command.ts'
import type { AgentContext } from './context.ts'
import { writeIfChanged } from './files.ts'
import { type Node, networkOf } from './node-watch.ts'

const uplink = 'eth0'
const retryMs = 1_000

/**
 * Keeps this machine's kernel in step with the nodes. Call `nudge` whenever they may have changed. The kernel
 * is looked at whenever something else is wanted, and every `lookEveryMs` (default 30,000), because others may
 * change it too; only what differs is set.
 */
export function keepPodNetwork(
  context: AgentContext,
  nodes: () => ReadonlyMap<string, Node>,
  lookEveryMs = 30_000,
): { nudge(): void } {
  const { kind: declared, podCidr } = context.cluster.spec.networking
  if (declared === 'cni') return { nudge: () => {} }
  const kind = declared === 'routed' ? 'routed' : 'vxlan'
  /** What the kernel was brought in step with; undefined when it has to be looked at. */
  let settled: string | undefined
  let pauseMs = retryMs
  let wanted = false
  let running = false

  async function sync(): Promise<void> {
    const all = [...nodes().values()].map(networkOf)
    const self = all.find((node) => node.name === context.identity.machineId)
    if (!self?.podCidr) {
      context.say('pod network', 'this node has no pod range yet')
      return
    }
    const next = wantedRoutes(kind, { ...self, address: context.identity.address }, all)
    const text = JSON.stringify(next)
    if (text === settled) return
    const mtu = Number((await readFile(`/sys/class/net/${uplink}/mtu`, 'utf8')).trim())
    await bringInStep(next, mtu)
    await writeIfChanged(cniConfigFile, renderCniConfig(kind, self.podCidr, mtu), 0o644)
    // It does not depend on the nodes.
    if (settled === undefined) await masquerade(podCidr)
    settled = text
    pauseMs = retryMs
    context.say('pod network', undefined)
  }

  async function run(): Promise<void> {
    if (running) return
    running = true
    while (wanted) {
      wanted = false
      await sync().catch((error: unknown) => {
        context.say('pod network', messageOf(error))
        settled = undefined
        setTimeout(nudge, pauseMs)
        pauseMs = Math.min(2 * pauseMs, lookEveryMs)
      })
    }
    running = false
  }

  function nudge(): void {
    wanted = true
    void run()
  }

  setInterval(() => {
    if (settled === undefined) return
    settled = undefined
    nudge()
  }, lookEveryMs)
  return { nudge }
}

async function bringInStep(wanted: PodRoutes, mtu: number): Promise<void> {
  const { ip, bridge } = podNetworkCommands(await kernelNow(), wanted, { name: uplink, mtu })
  // Forced, and one after the other whatever happens: one node's bad entry keeps no other from being set.
  try {
    if (ip.length > 0) await command('ip', ['-force', '-batch', '-'], { input: lines(ip) })
  } finally {
    if (bridge.length > 0) await command('bridge', ['-force', '-batch', '-'], { input: lines(bridge) })
  }
}

async function kernelNow(): Promise<Kernel> {
  const ask = async (file: string, ...args: string[]) => JSON.parse((await command(file, args)) || '[]')
  const [devices, routes, neighbours, forwarding] = await Promise.all([
    ask('ip', '-json', '-details', 'address', 'show', 'type', 'vxlan'),
    ask('ip', '-json', 'route', 'show', 'proto', String(routeProtocol)),
    ask('ip', '-json', 'neigh', 'show', 'nud', 'permanent'),
    ask('bridge', '-json', 'fdb', 'show'),
  ])
  return { devices, routes, neighbours, forwarding }
}

async function masquerade(podCidr: string): Promise<void> {
  // Without the table this is an error.
  const there = await command('nft', ['list', 'table', 'ip', 'holdfast']).catch(() => '')
  if (there.includes(masqueradeRule(podCidr))) return
  await command('nft', ['-f', '-'], { input: renderMasquerade(podCidr) })
}

const lines = (entries: readonly string[]): string => `${entries.join('\n')}\n`
