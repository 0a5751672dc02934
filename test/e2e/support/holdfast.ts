import { type ChildProcess, spawn } from 'node:child_process'
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { homeFolder, kubeconfigFile, project, transcript } from './place.ts'

export interface Ran {
  /** null after a signal. */
  code: number | null
  out: string
  err: string
  ms: number
}

export interface Running {
  child: ChildProcess
  /** What it has said on standard error so far. */
  said(): string
  /** Called with each line of standard error. */
  onLine(listener: (line: string) => void): void
  done: Promise<Ran>
}

/** Starts the real command as a user would, with a home and a kubeconfig of the tests' own. */
export function startHoldfast(
  words: readonly string[],
  timeoutMs = 240_000,
  env: Record<string, string> = {},
): Running {
  const started = performance.now()
  const child = spawn(join(project, 'holdfast'), words, {
    cwd: '/',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      HOLDFAST_HOME: homeFolder,
      HOLDFAST_STATE_STORE: '',
      HOLDFAST_CLUSTER: '',
      KUBECONFIG: kubeconfigFile,
      NO_COLOR: '1',
      ...env,
    },
  })
  const listeners: ((line: string) => void)[] = []
  let out = ''
  let err = ''
  let rest = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) for (const listener of listeners) listener(line)
  })
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
  const done = new Promise<Ran>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => {
      clearTimeout(timer)
      const ms = Math.round(performance.now() - started)
      const head = `$ holdfast ${words.join(' ')}   (${code ?? 'killed'}, ${(ms / 1000).toFixed(1)} s)`
      appendFileSync(transcript, `${head}\n${err}${out}\n`)
      resolve({ code, out, err, ms })
    })
  })
  return { child, said: () => err, onLine: (listener) => void listeners.push(listener), done }
}

export const holdfast = (words: readonly string[], timeoutMs?: number): Promise<Ran> =>
  startHoldfast(words, timeoutMs).done

/** Runs a command that must succeed. @returns its standard output. */
export async function mustRun(words: readonly string[], timeoutMs?: number): Promise<string> {
  const ran = await holdfast(words, timeoutMs)
  if (ran.code === 0) return ran.out
  throw new Error(`holdfast ${words.join(' ')} ended with ${ran.code ?? 'a signal'}:\n${ran.err}${ran.out}`)
}

/** Runs a command that must succeed and that answers in JSON. */
export const askJson = async <T>(words: readonly string[], timeoutMs?: number): Promise<T> =>
  JSON.parse(await mustRun([...words, '--output', 'json'], timeoutMs)) as T
