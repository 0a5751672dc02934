import type { Problem } from '../../errors.ts'

export const gib = 1024 ** 3

export const size = (bytes: number): string => `${(bytes / gib).toFixed(1)} GiB`

/** What keeps this host from holding a cluster. */
export const hostError = (path: string, message: string, remedy?: string): Problem => ({
  severity: 'error',
  path,
  message,
  ...(remedy ? { remedy } : {}),
})

/** What may become one. */
export const hostWarning = (path: string, message: string, remedy?: string): Problem => ({
  ...hostError(path, message, remedy),
  severity: 'warning',
})
