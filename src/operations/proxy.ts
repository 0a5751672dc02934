import { parseIpv4 } from '../spec/cidr.ts'

type Environment = Record<string, string | undefined>

/** What goes past the proxy; as for Go's programs the name in capitals counts first. */
const exceptions = (env: Environment): string[] =>
  (env['NO_PROXY'] || env['no_proxy'] || '')
    .split(',')
    .map((entry) => entry.trim())
    .filter(Boolean)

/** NO_PROXY with the host of this server, under both of its names. */
export function pastProxy(env: Environment, server: string): Record<'NO_PROXY' | 'no_proxy', string> {
  const all = [...exceptions(env), new URL(server).hostname].join()
  return { NO_PROXY: all, no_proxy: all }
}

/**
 * Whether kubectl would ask a proxy for this server. Like every program in Go it goes past HTTPS_PROXY to
 * loopback and to what NO_PROXY names: addresses, with or without a port, and ranges.
 * Source: golang.org/x/net/http/httpproxy.
 */
export function goesToProxy(env: Environment, server: string): boolean {
  if (!env['HTTPS_PROXY'] && !env['https_proxy']) return false
  const { hostname, port } = new URL(server)
  return !exceptions(env).some((entry) =>
    entry.includes('/') ? isWithin(entry, hostname) : ['*', hostname, `${hostname}:${port}`].includes(entry),
  )
}

/** Go's ranges may have bits beyond their prefix. */
function isWithin(range: string, address: string): boolean {
  const [network = '', prefix] = range.split('/')
  const size = 2 ** (32 - Number(prefix))
  const [first, ip] = [parseIpv4(network), parseIpv4(address)]
  return first !== undefined && ip !== undefined && Math.floor(first / size) === Math.floor(ip / size)
}
