import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { chmod, copyFile, mkdir, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { writeDurably } from '../durable-file.ts'
import { messageOf } from '../errors.ts'
import { syncPath } from '../folders.ts'
import { type CommandResult, type Host, HostCommandError, type RunOptions } from './host.ts'

const defaultTimeoutMs = 60_000
/** Output beyond this is dropped, so that a command that never stops talking cannot fill our memory. */
const maxOutputBytes = 64 * 1024 * 1024

/** This machine itself. */
export function localHost(name = 'localhost'): Host {
  const run = (command: readonly [string, ...string[]], options: RunOptions = {}) =>
    runCommand({ host: name, argv: command, shown: command, options })

  return {
    name,
    run,
    async readFile(path) {
      return readFile(path, 'utf8').catch((error: unknown) => {
        throw failed(name, ['read', path], undefined, messageOf(error), [])
      })
    },
    async writeFile(path, content, options = {}) {
      await writeDurably(path, content, options.mode ?? 0o600)
    },
    async upload(localPath, remotePath, options = {}) {
      const temporary = `${remotePath}.${randomBytes(6).toString('hex')}.new`
      try {
        await mkdir(dirname(remotePath), { recursive: true })
        await copyFile(localPath, temporary)
        await chmod(temporary, options.mode ?? 0o600)
        await syncPath(temporary)
        await rename(temporary, remotePath)
      } catch (error) {
        await rm(temporary, { force: true })
        throw failed(name, ['upload', localPath, remotePath], undefined, messageOf(error), [])
      }
    },
  }
}

/** SHA-256 of a file, hexadecimal. */
export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk)
  return hash.digest('hex')
}

export interface LocalCommand {
  /** The host's name in errors. */
  host: string
  argv: readonly string[]
  /** What errors say was run: without the words that only lead to the machine. */
  shown: readonly string[]
  options: RunOptions
  /** The whole environment, instead of ours with `options.env` added. */
  exactEnv?: Record<string, string>
  /** An open file as standard input, instead of `options.input`. */
  inputFd?: number
}

/**
 * Runs `argv` in a process group of its own; when the time is over the whole group is killed, so
 * that nothing a shell started stays behind.
 */
export function runCommand(command: LocalCommand): Promise<CommandResult> {
  const { host, argv, shown, options } = command
  const [file, ...args] = argv
  const secrets = options.secrets ?? []
  const timeoutMs = options.timeoutMs ?? defaultTimeoutMs
  if (!file) return Promise.reject(failed(host, shown, undefined, 'no command', secrets))
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      detached: true,
      env: command.exactEnv ?? { ...process.env, ...options.env },
      stdio: [command.inputFd ?? 'pipe', 'pipe', 'pipe'],
    })
    const stdout = collect()
    const stderr = collect()
    let late = false
    const timer = setTimeout(() => {
      late = true
      killGroup(child.pid)
      // A descendant that left the group could hold the pipes open for ever.
      setTimeout(() => {
        child.stdout?.destroy()
        child.stderr?.destroy()
      }, 200).unref()
    }, timeoutMs)
    child.stdout?.on('data', stdout.add)
    child.stderr?.on('data', stderr.add)
    // A command that does not read its input is no error of ours: its exit code tells.
    child.stdin?.on('error', () => {})
    child.stdin?.end(options.input ?? '')
    child.on('error', (error) => {
      clearTimeout(timer)
      reject(failed(host, shown, undefined, error.message, secrets, 'could not be started'))
    })
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      if (late)
        reject(failed(host, shown, undefined, stderr.text(), secrets, `no end within ${timeoutMs} ms`))
      else if (code === 0) resolve({ stdout: stdout.text(), stderr: stderr.text() })
      else reject(failed(host, shown, code ?? undefined, stderr.text(), secrets, signal ?? undefined))
    })
  })
}

function collect() {
  const chunks: Buffer[] = []
  let size = 0
  return {
    add: (chunk: Buffer) => {
      if (size < maxOutputBytes) chunks.push(chunk)
      size += chunk.length
    },
    text: () => Buffer.concat(chunks).toString('utf8'),
  }
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It ended by itself in between.
  }
}

function failed(
  host: string,
  shown: readonly string[],
  exitStatus: number | undefined,
  stderr: string,
  secrets: readonly string[],
  reason?: string,
): HostCommandError {
  const redact = (text: string) =>
    secrets.filter((secret) => secret !== '').reduce((rest, secret) => rest.replaceAll(secret, '***'), text)
  return new HostCommandError({
    host,
    command: redact(shown.join(' ')),
    exitStatus,
    stderr: redact(stderr),
    ...(reason ? { reason } : {}),
  })
}
