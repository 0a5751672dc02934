import { randomBytes } from 'node:crypto'
import { open } from 'node:fs/promises'
import { messageOf } from '../errors.ts'
import { type Host, HostCommandError, type RunOptions } from './host.ts'
import { runCommand } from './local.ts'

const uploadTimeoutMs = 600_000

/** A login's PATH inside a machine; nsenter would otherwise hand over the caller's. */
export const machinePath = '/opt/holdfast/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * nsenter's words for everything of the machine whose first process is `pid`. Its root and working
 * folder come with the mount namespace; with --root and --wd one would stand in the host's folder.
 */
export const enterMachine = (pid: number): string[] => [
  'nsenter',
  `--target=${pid}`,
  '--mount',
  '--uts',
  '--ipc',
  '--net',
  '--pid',
  '--cgroup',
  '--',
]

/** Writes standard input to $1 by way of $2, so that after a kill there is the old file or the new one. */
const placeScript =
  'set -e; umask 077; mkdir -p "$(dirname "$1")"; trap \'rm -f "$2"\' EXIT; cat >"$2"; chmod "$3" "$2"; sync "$2"; mv -f "$2" "$1"'

/**
 * A machine that is a systemd-nspawn container: commands run inside by nsenter as root.
 * `initPid` is asked each time, because a rebooted machine has another first process.
 */
export function nspawnHost(name: string, initPid: () => Promise<number | undefined>): Host {
  const notRun = (command: string, reason: string) =>
    new HostCommandError({ host: name, command, exitStatus: undefined, stderr: '', reason })

  async function run(command: readonly [string, ...string[]], options: RunOptions = {}, inputFd?: number) {
    const pid = await initPid()
    if (pid === undefined) {
      throw notRun(command[0], 'the machine is not running')
    }
    return runCommand({
      host: name,
      argv: [...enterMachine(pid), ...command],
      shown: command,
      options,
      // Not the caller's environment: it is another machine. By environment, not by words of
      // `env`, because those could be read by anyone on the host.
      exactEnv: { PATH: machinePath, HOME: '/root', LANG: 'C.UTF-8', ...options.env },
      ...(inputFd === undefined ? {} : { inputFd }),
    })
  }

  /** Done inside, never by /proc/PID/root: an absolute link in the machine would lead into the host. */
  const place = (path: string, mode: number, options: RunOptions, inputFd?: number) =>
    run(
      [
        'sh',
        '-c',
        placeScript,
        'sh',
        path,
        `${path}.${randomBytes(6).toString('hex')}.new`,
        mode.toString(8),
      ],
      options,
      inputFd,
    )

  return {
    name,
    run: (command, options) => run(command, options),
    async readFile(path) {
      return (await run(['cat', '--', path])).stdout
    },
    async writeFile(path, content, options = {}) {
      await place(path, options.mode ?? 0o600, { input: content })
    },
    async upload(localPath, remotePath, options = {}) {
      const file = await open(localPath, 'r').catch((error: unknown) => {
        throw notRun(`upload ${localPath} ${remotePath}`, messageOf(error))
      })
      try {
        await place(remotePath, options.mode ?? 0o600, { timeoutMs: uploadTimeoutMs }, file.fd)
      } finally {
        await file.close()
      }
    },
  }
}
