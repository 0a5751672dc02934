import { spawn } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { upArguments } from './bring-up.ts'
import type { Bench, CommandRun } from './measurement.ts'

const startScript = fileURLToPath(new URL('../holdfast', import.meta.url))

/** A bench with a home and a kubeconfig of its own; the assets' cache is the user's, so that it is warm. */
export async function openBench(options: {
  folder: string
  rounds: number
  idleSeconds: number
  cluster?: string
}): Promise<Bench> {
  const { folder } = options
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    HOLDFAST_HOME: join(folder, 'home'),
    KUBECONFIG: join(folder, 'kubeconfig'),
    NO_COLOR: '1',
  }
  for (const name of ['HOLDFAST_CLUSTER', 'HOLDFAST_STATE_STORE', 'XDG_DATA_HOME']) delete env[name]
  const cluster = options.cluster ?? 'bench'
  const holdfast: Bench['holdfast'] = async (args, { timeoutMs = 600_000, mayFail = false } = {}) => {
    const run = await runCommand([startScript, ...args], env, timeoutMs)
    if (run.exitCode === 0 || mayFail) return run
    throw new Error(
      `\`holdfast ${args.slice(0, 4).join(' ')}\` ended with ${run.exitCode}: ${run.stderr.trim().slice(-1500)}`,
    )
  }
  let up = false
  return {
    rounds: options.rounds,
    idleSeconds: options.idleSeconds,
    folder,
    cluster,
    holdfast,
    say: (text) => void process.stderr.write(`${text}\n`),
    async ensureCluster() {
      if (!up) await holdfast(upArguments(cluster), { timeoutMs: 3_600_000 })
      up = true
    },
    async deleteCluster() {
      up = false
      await holdfast(['delete', 'cluster', cluster, '--yes'], { mayFail: true })
    },
  }
}

/** Its own process group is not made, so that Ctrl-C reaches the product too. */
function runCommand(
  command: readonly string[],
  env: NodeJS.ProcessEnv,
  timeoutMs: number,
): Promise<CommandRun> {
  return new Promise((resolve, reject) => {
    const [file = '', ...args] = command
    const began = performance.now()
    const child = spawn(file, args, { env, stdio: ['ignore', 'pipe', 'pipe'], timeout: timeoutMs })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString()
    })
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString()
    })
    child.once('error', reject)
    child.once('close', (code) =>
      resolve({ stdout, stderr, exitCode: code ?? 1, seconds: (performance.now() - began) / 1000 }),
    )
  })
}
