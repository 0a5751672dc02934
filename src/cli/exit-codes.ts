/** Exit codes of every command; documented in docs/errors.md. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  badInput: 2,
  notReady: 3,
  conflict: 4,
  interrupted: 130,
} as const
