import { HoldfastError } from '../errors.ts'

/** One machine on which commands can be run and files moved. */
export interface Host {
  readonly name: string
  /** @throws HostCommandError on a non-zero exit code or when `timeoutMs` has passed. */
  run(command: readonly [string, ...string[]], options?: RunOptions): Promise<CommandResult>
  /** @throws HostCommandError when the file is not there. */
  readFile(path: string): Promise<string>
  /** Atomic; the parent folder is made where missing. Mode defaults to 0600. */
  writeFile(path: string, content: string, options?: { mode?: number }): Promise<void>
  /** Copies a local file (or a stream of it) to the machine. */
  upload(localPath: string, remotePath: string, options?: { mode?: number }): Promise<void>
}

export interface RunOptions {
  input?: string
  env?: Record<string, string>
  /** Default 60,000. */
  timeoutMs?: number
  /** Words that must never appear in an error. */
  secrets?: readonly string[]
}

export interface CommandResult {
  stdout: string
  stderr: string
}

/** Keeps host, command, exit code and standard error, with secrets removed. */
export class HostCommandError extends HoldfastError {
  readonly host: string
  readonly command: string
  readonly exitStatus: number | undefined
  readonly stderr: string

  constructor(details: {
    host: string
    command: string
    exitStatus: number | undefined
    stderr: string
    reason?: string
  }) {
    const why = details.reason ?? `exit code ${details.exitStatus ?? 'none'}`
    super(
      'host-command-failed',
      `${details.host}: \`${details.command}\` failed (${why}): ${details.stderr.trim().slice(-2000)}`,
    )
    this.host = details.host
    this.command = details.command
    this.exitStatus = details.exitStatus
    this.stderr = details.stderr
  }
}
