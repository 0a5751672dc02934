import { KubeApiError, kubeApiError } from './api-error.ts'
import { type KubeConnection, openTransport } from './api-transport.ts'

export { isKubeReason, KubeApiError } from './api-error.ts'
export { connectionFromKubeconfig, fromKubeconfig } from './api-kubeconfig.ts'
export type { KubeConnection } from './api-transport.ts'

/** The least that every object of Kubernetes has. Callers name the rest with a type argument. */
export interface KubeObject {
  apiVersion?: string
  kind?: string
  metadata?: {
    name?: string
    namespace?: string
    uid?: string
    resourceVersion?: string
    labels?: Record<string, string>
    annotations?: Record<string, string>
    creationTimestamp?: string
    deletionTimestamp?: string
  }
}

export interface KubeList<T> {
  items: T[]
  /** Where a watch goes on. */
  resourceVersion: string
}

export interface WatchEvent<T> {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'
  object: T
}

export interface PatchOptions {
  /** `apply` is server-side apply; conflicts are taken over when `force` is set (default true). */
  type?: 'merge' | 'strategic' | 'json' | 'apply'
  fieldManager?: string
  force?: boolean
}

export interface WatchOptions {
  resourceVersion?: string
  /** The server ends the watch then. Default 300. */
  timeoutSeconds?: number
  signal?: AbortSignal
}

/** Paths begin with `/api` or `/apis` and may carry a query. All failures are KubeApiError. */
export interface KubeApi {
  readonly server: string
  get<T = KubeObject>(path: string): Promise<T>
  /** undefined when there is none. */
  tryGet<T = KubeObject>(path: string): Promise<T | undefined>
  list<T = KubeObject>(path: string): Promise<KubeList<T>>
  create<T = KubeObject>(path: string, body: unknown): Promise<T>
  /** @throws KubeApiError `Conflict` when the object changed since its resourceVersion. */
  replace<T = KubeObject>(path: string, body: unknown): Promise<T>
  patch<T = KubeObject>(path: string, body: unknown, options?: PatchOptions): Promise<T>
  /** An object that is not there is no error. */
  delete(path: string, body?: unknown): Promise<void>
  /**
   * Ends when the server or `signal` ends it.
   * @throws KubeApiError `Expired` when the resourceVersion is too old: list again.
   */
  watch<T = KubeObject>(
    path: string,
    onEvent: (event: WatchEvent<T>) => Promise<void> | void,
    options?: WatchOptions,
  ): Promise<void>
  /** The body as it is, for `/readyz` and the like. */
  rawGet(path: string, options?: { timeoutMs?: number }): Promise<string>
  close(): void
}

const contentTypes: Record<NonNullable<PatchOptions['type']>, string> = {
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  json: 'application/json-patch+json',
  apply: 'application/apply-patch+yaml',
}

/** A thin client of the Kubernetes API: JSON over HTTPS, nothing cached, every request bounded. */
export function kubeApi(connection: KubeConnection): KubeApi {
  const transport = openTransport(connection)
  const exchange = async <T>(
    method: string,
    path: string,
    body?: unknown,
    contentType?: string,
  ): Promise<T> => {
    const text = await transport.text({
      method,
      path,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(contentType ? { contentType } : {}),
    })
    return JSON.parse(text) as T
  }
  const get = <T>(path: string) => exchange<T>('GET', path)

  return {
    server: connection.server,
    get,
    tryGet: <T>(path: string) => absentAs(get<T>(path), undefined),
    async list<T>(path: string) {
      const answer = await get<{ metadata?: { resourceVersion?: string }; items?: T[] }>(path)
      return { items: answer.items ?? [], resourceVersion: answer.metadata?.resourceVersion ?? '' }
    },
    create: (path, body) => exchange('POST', path, body),
    replace: (path, body) => exchange('PUT', path, body),
    patch: (path, body, options = {}) => {
      const type = options.type ?? 'merge'
      const query = new URLSearchParams()
      if (options.fieldManager ?? type === 'apply')
        query.set('fieldManager', options.fieldManager ?? 'holdfast')
      if (type === 'apply') query.set('force', String(options.force ?? true))
      return exchange('PATCH', withQuery(path, query), body, contentTypes[type])
    },
    delete: (path, body) =>
      absentAs(
        exchange<void>('DELETE', path, body).then(() => {}),
        undefined,
      ),
    async watch<T>(
      path: string,
      onEvent: (event: WatchEvent<T>) => Promise<void> | void,
      options: WatchOptions = {},
    ) {
      const timeoutSeconds = options.timeoutSeconds ?? 300
      const query = new URLSearchParams({
        watch: 'true',
        allowWatchBookmarks: 'true',
        timeoutSeconds: String(timeoutSeconds),
      })
      if (options.resourceVersion !== undefined) query.set('resourceVersion', options.resourceVersion)
      try {
        await transport.lines(
          {
            method: 'GET',
            path: withQuery(path, query),
            timeoutMs: (timeoutSeconds + 10) * 1000,
            ...(options.signal ? { signal: options.signal } : {}),
          },
          (line) => {
            const event = JSON.parse(line) as { type: string; object: T & { code?: number } }
            if (event.type === 'ERROR') {
              throw kubeApiError(event.object.code ?? 500, JSON.stringify(event.object), `watch ${path}`)
            }
            return onEvent(event as WatchEvent<T>)
          },
        )
      } catch (error) {
        if (!(error instanceof KubeApiError && error.reason === 'Aborted')) throw error
      }
    },
    rawGet: (path, options = {}) => transport.text({ method: 'GET', path, accept: '*/*', ...options }),
    close: transport.close,
  }
}

function withQuery(path: string, query: URLSearchParams): string {
  const text = query.toString()
  return text === '' ? path : `${path}${path.includes('?') ? '&' : '?'}${text}`
}

async function absentAs<T, U>(answer: Promise<T>, absent: U): Promise<T | U> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof KubeApiError && error.status === 404) return absent
    throw error
  }
}
