import { HoldfastError, isErrno, messageOf } from './errors.ts'

const isRoot = () => process.geteuid?.() === 0

/**
 * Whether root was become through sudo by somebody else. sudo puts a path of its own (`secure_path`) in the place of
 * the caller's, which may have what that one has not, and root's home in the place of the caller's.
 */
export const isUnderSudo = (env: NodeJS.ProcessEnv, uid = process.getuid?.()): boolean =>
  uid === 0 && (env['SUDO_UID'] || '0') !== '0'

/** What the kernel refuses to a user who is not root, as an error that says so; undefined for all else. */
export function refusedToUser(what: string, error: unknown): HoldfastError | undefined {
  if (!isErrno(error, 'EACCES', 'EPERM') || isRoot()) return undefined
  return new HoldfastError('not-permitted', `${what} belongs to another user: ${messageOf(error)}`, {
    remedy: 'What was made with sudo is root’s: run this command with sudo, too.',
    exitCode: 2,
    cause: error,
  })
}
