import { execFile } from 'node:child_process'
import { HostCommandError } from '../hosts/host.ts'

/** PATH of everything the agent starts. */
export const toolsPath = '/opt/holdfast/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * Runs a program on this machine and returns its standard output.
 * @throws HostCommandError on a non-zero exit code, or when `timeoutMs` (default 60,000) has passed.
 */
export function command(
  file: string,
  args: readonly string[],
  options: { input?: string; timeoutMs?: number; env?: Record<string, string> } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      file,
      args,
      {
        timeout: options.timeoutMs ?? 60_000,
        killSignal: 'SIGKILL',
        maxBuffer: 16 * 1024 * 1024,
        env: { PATH: toolsPath, HOME: '/root', LANG: 'C.UTF-8', ...options.env },
      },
      (error, stdout, stderr) => {
        if (!error) return resolve(stdout)
        reject(
          new HostCommandError({
            host: 'this machine',
            command: [file, ...args].join(' ').slice(0, 300),
            exitStatus: typeof error.code === 'number' ? error.code : undefined,
            stderr,
            ...(error.killed ? { reason: 'it took too long' } : {}),
          }),
        )
      },
    )
    child.stdin?.on('error', () => {})
    child.stdin?.end(options.input ?? '')
  })
}
