import { readFileSync, statSync } from 'node:fs'
import { Agent } from 'node:https'
import { createSecureContext } from 'node:tls'

/** How to prove who one is. Files are read again when they change, as kubelet's do at rotation. */
export interface KubeCredentials {
  /** PEM texts. */
  ca?: string
  cert?: string
  key?: string
  /** Paths; kubelet keeps certificate and key in one file, which may be given twice. */
  caFile?: string
  certFile?: string
  keyFile?: string
  token?: string
}

/**
 * An agent with the credentials of this moment. After a rotation new connections use the new
 * certificate, while requests in flight finish on the old one.
 */
export function rotatingAgent(credentials: KubeCredentials): { current(): Agent; close(): void } {
  const files = [credentials.caFile, credentials.certFile, credentials.keyFile].filter(
    (file) => file !== undefined,
  )
  let agent: Agent | undefined
  let seen = ''

  const load = (): Agent => {
    const text = (value: string | undefined, file: string | undefined) =>
      value ?? (file === undefined ? undefined : readFileSync(file, 'utf8'))
    const tls = {
      ca: text(credentials.ca, credentials.caFile),
      cert: text(credentials.cert, credentials.certFile),
      key: text(credentials.key, credentials.keyFile),
    }
    // Fails here and now when certificate and key do not belong together.
    createSecureContext(tls)
    return new Agent({ ...tls, keepAlive: true, maxSockets: 16 })
  }

  return {
    current() {
      const state = files.map(stateOf).join(' ')
      if (agent && state === seen) return agent
      try {
        const fresh = load()
        if (agent) retire(agent)
        agent = fresh
        seen = state
      } catch (error) {
        // Caught in the middle of a rotation: the former credentials still hold; look again next time.
        if (!agent) throw error
      }
      return agent
    },
    close: () => agent?.destroy(),
  }
}

function stateOf(file: string): string {
  try {
    const { ino, mtimeMs, size } = statSync(file)
    return `${ino}/${mtimeMs}/${size}`
  } catch {
    return 'none'
  }
}

/** Idle connections end now, those in use when their request is done. */
function retire(agent: Agent): void {
  Object.assign(agent, { keepAlive: false, maxFreeSockets: 0 })
  for (const sockets of Object.values(agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy()
}
