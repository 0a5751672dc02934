import { setTimeout as sleep } from 'node:timers/promises'
import { localSurroundings } from '../clouds/local/surroundings-client.ts'
import { messageOf } from '../errors.ts'
import type { ClusterSpec } from '../spec/types.ts'
import { keys } from '../store/keys.ts'
import { answerCertificates } from './certificate-process.ts'
import { type AgentContext, folders } from './context.ts'
import { runHeartbeat } from './heartbeat.ts'
import { loadImages } from './images.ts'
import { runMaster } from './master.ts'
import { rememberingStore } from './remembering-store.ts'
import { runWorker } from './worker.ts'
import { parseYaml } from './yaml.ts'

/** The agent's own process is the one place below the command line that prints: its lines go to the journal. */
const print = (line: string): void => void process.stdout.write(`${line}\n`)

const waiting: Record<string, string> = {}
let seat: string | undefined

function say(part: string, reason: string | undefined): void {
  if (waiting[part] === reason) return
  if (reason === undefined) delete waiting[part]
  else waiting[part] = reason
  print(reason === undefined ? `${part}: done` : `${part}: ${reason}`)
}

async function start(): Promise<void> {
  const surroundings = localSurroundings()
  const identity = await surroundings.identify()
  print(
    `agent of ${identity.machineId} (${identity.role} of ${identity.cluster}, ${identity.zone}, ${identity.address})`,
  )
  const store = rememberingStore(surroundings.store(), folders.state)
  let cluster: ClusterSpec | undefined
  while (!cluster) {
    const { stored } = await store.recall(keys.clusterSpec(identity.cluster))
    if (stored) cluster = parseYaml(stored.value) as ClusterSpec
    else {
      say('cluster', 'the state store does not answer, or has no such cluster')
      await sleep(500)
    }
  }
  say('cluster', undefined)
  const context: AgentContext = { identity, surroundings, store, cluster, say }
  void loadImages(context)
  collectGarbage()
  void runHeartbeat(
    context,
    () => waiting,
    () => seat,
  )
  if (identity.role === 'master') {
    await runMaster(context, (own) => {
      seat = own
    })
  } else await runWorker(context)
}

/**
 * V8 lets a heap that is mostly idle grow for a long time before it looks what is left of it. The agent
 * shares its machine with a control plane: it looks once a minute, which takes some milliseconds.
 */
function collectGarbage(): void {
  setInterval(() => globalThis.gc?.(), 60_000).unref()
}

const work = process.argv[2] === 'certificates' ? answerCertificates() : start()
work.catch((error: unknown) => {
  const line = `ended: ${messageOf(error)}${error instanceof Error ? `\n${error.stack}` : ''}\n`
  // The heartbeat goes on otherwise, and systemd starts only what has ended.
  process.stderr.write(line, () => process.exit(1))
})
