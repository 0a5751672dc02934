import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../errors.ts'
import { cniConfigFile, renderCniConfig, renderMasquerade } from '../network/cni.ts'
import {
  forwardingCommands,
  type NodeNetwork,
  type PodRoutes,
  routeCommands,
  vxlan,
  wantedRoutes,
} from '../network/pod-network.ts'
import { command } from './command.ts'
import type { AgentContext } from './context.ts'
import { writeIfChanged } from './files.ts'
import { type Node, networkOf } from './node-watch.ts'

const uplink = 'eth0'
const retryMs = 1_000

/** Keeps this machine's kernel in step with the nodes. Call `nudge` whenever they may have changed. */
export function keepPodNetwork(
  context: AgentContext,
  nodes: () => ReadonlyMap<string, Node>,
): { nudge(): void } {
  const { kind, podCidr } = context.cluster.spec.networking
  if (kind === 'cni') return { nudge: () => {} }
  let applied: PodRoutes | undefined
  let wanted = false
  let running = false

  async function sync(): Promise<void> {
    const all = [...nodes().values()].map(networkOf)
    const self = all.find((node) => node.name === context.identity.machineId)
    if (!self?.podCidr) {
      context.say('pod network', 'this node has no pod range yet')
      return
    }
    const next = wantedRoutes(
      kind === 'vxlan' ? 'vxlan' : 'routed',
      { ...self, address: context.identity.address },
      all,
    )
    if (JSON.stringify(next) === JSON.stringify(applied)) return
    if (next.device && JSON.stringify(next.device) !== JSON.stringify(applied?.device)) {
      await makeDevice(next.device)
      applied = undefined
    }
    const routes = routeCommands(applied, next, uplink)
    if (routes.length > 0)
      await command('ip', ['-force', '-batch', '-'], { input: lines(routes) }).catch(ignoreGone(routes))
    const entries = forwardingCommands(applied, next)
    if (entries.length > 0) {
      await command('bridge', ['-force', '-batch', '-'], { input: lines(entries) }).catch(ignoreGone(entries))
    }
    await containers(self, podCidr)
    applied = next
    context.say('pod network', undefined)
  }

  async function containers(self: NodeNetwork, allPods: string): Promise<void> {
    const mtu = Number((await readFile(`/sys/class/net/${uplink}/mtu`, 'utf8')).trim())
    const changed = await writeIfChanged(
      cniConfigFile,
      renderCniConfig(kind === 'routed' ? 'routed' : 'vxlan', self.podCidr, mtu),
      0o644,
    )
    if (changed || applied === undefined)
      await command('nft', ['-f', '-'], { input: renderMasquerade(allPods) })
  }

  async function run(): Promise<void> {
    if (running) return
    running = true
    while (wanted) {
      wanted = false
      try {
        await sync()
      } catch (error) {
        context.say('pod network', messageOf(error))
        applied = undefined
        wanted = true
        await sleep(retryMs)
      }
    }
    running = false
  }

  return {
    nudge() {
      wanted = true
      void run()
    },
  }
}

/** An entry that went with its device or its node is no error; one that could not be set is. */
const ignoreGone = (wanted: string[]) => (error: unknown) => {
  if (!wanted.every((line) => / del /.test(line))) throw error
}

const lines = (entries: string[]): string => `${entries.join('\n')}\n`

async function makeDevice(device: NonNullable<PodRoutes['device']>): Promise<void> {
  await command('ip', ['link', 'del', device.name]).catch(() => {})
  const { id, port } = vxlan
  await command('ip', [
    ...['link', 'add', device.name, 'address', device.mac, 'type', 'vxlan', 'id', String(id)],
    ...['local', device.local, 'dev', uplink, 'dstport', String(port), 'nolearning'],
  ])
  await command('ip', ['addr', 'add', `${device.address}/32`, 'dev', device.name])
  await command('ip', ['link', 'set', device.name, 'up'])
}
