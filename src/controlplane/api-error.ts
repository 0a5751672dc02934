import { HoldfastError } from '../errors.ts'

/** What the API server refused, or why it could not be asked. */
export class KubeApiError extends HoldfastError {
  /** HTTP status; 0 when there was no answer. */
  readonly status: number
  /**
   * Kubernetes' reason (`NotFound`, `AlreadyExists`, `Conflict`, `Forbidden`, `Expired`…), or
   * `Unreachable` (the request was not sent), or `Timeout` (whether it was carried out is unknown).
   */
  readonly reason: string

  constructor(status: number, reason: string, message: string, cause?: unknown) {
    super('kube-api', message, { cause })
    this.name = 'KubeApiError'
    this.status = status
    this.reason = reason
  }
}

export const isKubeReason = (error: unknown, ...reasons: string[]): boolean =>
  error instanceof KubeApiError && reasons.includes(error.reason)

/** From a Status object, or from whatever else came. */
export function kubeApiError(status: number, text: string, where: string): KubeApiError {
  let reason = status === 404 ? 'NotFound' : `Http${status}`
  let message = text.slice(0, 500)
  try {
    const body: unknown = JSON.parse(text)
    if (typeof body === 'object' && body !== null) {
      if ('reason' in body && typeof body.reason === 'string' && body.reason !== '') reason = body.reason
      if ('message' in body && typeof body.message === 'string') message = body.message
    }
  } catch {
    // Not every answer is a Status: a balancer may have given it.
  }
  return new KubeApiError(status, reason, `${where}: ${message || reason} (${status})`)
}
