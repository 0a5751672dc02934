/** One master's place behind the endpoint: predefined, so that masters come and go without a reload. */
export const slots = ['a', 'b', 'c', 'd', 'e', 'f', 'g'] as const
export type Slot = (typeof slots)[number]

export interface BalancerTarget {
  /** The master's seat or machine. */
  name: string
  address: string
}

/** Which target sits in which slot. */
export type SlotTable = Partial<Record<Slot, BalancerTarget>>

export interface BalancerConfig {
  /** Where clients connect. */
  endpoint: { address: string; port: number }
  /** The apiservers' own port. */
  apiserverPort: number
  slots: SlotTable
  /** Inside the balancer's own root folder. */
  adminSocket: string
  uid: number
  gid: number
}

export const backend = 'apiservers'

/**
 * The same servers with more patience, used while none of `backend` passes its checks: an apiserver whose machine is
 * so busy that its checks time out answers late, which is better than nobody. One that is not ready is left out of
 * both: before it knows its rules it would forbid everything.
 */
export const patientBackend = 'apiservers-patient'
export const backends = [backend, patientBackend] as const

/** Where an empty slot points: nowhere. */
export const emptySlotAddress = '127.0.0.1'

export const balancerTimes = {
  /** Between two checks of a server whose state is settled. */
  checkIntervalMs: 400,
  /** While it is going up or down: the second look comes at once. */
  fastCheckIntervalMs: 50,
  checkTimeoutMs: 500,
  patientCheckIntervalMs: 2_000,
  patientCheckTimeoutMs: 5_000,
  /** HAProxy counts a check's TLS handshake as connecting, which is the apiserver's work. */
  patientConnectTimeoutMs: 1_500,
  connectTimeoutMs: 300,
  /** A machine that was switched off acknowledges nothing: its connections end after this. */
  unackedTimeoutMs: 1_500,
  keepaliveSeconds: 1,
  /** Watches may be silent for long; HTTP/2 pings from the clients find dead ends much earlier. */
  idleTimeout: '1h',
  /** Checks in a row. Two, so that one slow answer of a busy apiserver does not take it out. */
  fall: 2,
  rise: 2,
  /** Failed connections of clients in a row that take a server out before its checks do. */
  connectionErrors: 2,
} as const

/**
 * /readyz without the events etcd: it must not take the API down (see docs/architecture.md).
 * etcd-override-0 is what the apiserver calls the first of --etcd-servers-overrides.
 */
export const readinessPath = '/readyz?exclude=etcd-override-0&exclude=etcd-override-readiness-0'

/**
 * haproxy.cfg for the apiservers' endpoint. TLS goes through untouched; only the checks speak TLS.
 * A dead master is out after at most 1.05 s by its checks alone (400 + 300 connecting + 50 + 300),
 * usually much sooner: by failed connections, or because the local cloud takes it out; until then a connection to it is tried elsewhere after 300 ms. Not
 * `on-marked-down shutdown-sessions`: that also cuts the connections that are about to be tried
 * elsewhere. Those to a dead machine end by the kernel's timers, and `setTargets` closes the rest.
 */
export function renderHaproxy(config: BalancerConfig): string {
  const times = balancerTimes
  const { endpoint } = config
  return `global
  log stdout format raw daemon notice
  chroot /empty
  uid ${config.uid}
  gid ${config.gid}
  maxconn 4000
  no strict-limits
  nbthread 1
  stats socket ${config.adminSocket} mode 600 level admin
  stats timeout 10s
  ssl-server-verify none
  spread-checks 0

defaults
  mode tcp
  log global
  option dontlog-normal
  option redispatch 1
  retries 3
  timeout client ${times.idleTimeout}
  timeout server ${times.idleTimeout}
  timeout queue 5s

frontend endpoint
  bind ${endpoint.address}:${endpoint.port}
  option clitcpka
  use_backend ${patientBackend} if { nbsrv(${backend}) eq 0 } { nbsrv(${patientBackend}) gt 0 }
  default_backend ${backend}

${backendSection(config, {
  name: backend,
  connectMs: times.connectTimeoutMs,
  checkMs: times.checkTimeoutMs,
  check: `inter ${times.checkIntervalMs}ms fastinter ${times.fastCheckIntervalMs}ms downinter ${times.checkIntervalMs}ms fall ${times.fall} rise ${times.rise}`,
})}

${backendSection(config, {
  name: patientBackend,
  connectMs: times.patientConnectTimeoutMs,
  checkMs: times.patientCheckTimeoutMs,
  check: `inter ${times.patientCheckIntervalMs}ms fastinter ${times.fastCheckIntervalMs}ms downinter ${times.patientCheckIntervalMs}ms fall ${times.fall} rise 1`,
})}
`
}

function backendSection(
  config: BalancerConfig,
  { name, connectMs, checkMs, check }: { name: string; connectMs: number; checkMs: number; check: string },
): string {
  const times = balancerTimes
  return `backend ${name}
  balance leastconn
  timeout connect ${connectMs}ms
  timeout check ${checkMs}ms
  option srvtcpka
  srvtcpka-idle ${times.keepaliveSeconds}s
  srvtcpka-intvl ${times.keepaliveSeconds}s
  srvtcpka-cnt 2
  option httpchk
  http-check send meth GET uri ${readinessPath} ver HTTP/1.1 hdr Host kubernetes hdr Connection close
  http-check expect status 200
  default-server check check-ssl verify none ${check} observe layer4 error-limit ${times.connectionErrors} on-error mark-down tcp-ut ${times.unackedTimeoutMs}ms
${slots.map((slot) => serverLine(slot, config)).join('\n')}`
}

function serverLine(slot: Slot, config: BalancerConfig): string {
  const target = config.slots[slot]
  const port = config.apiserverPort
  return target
    ? `  server ${slot} ${target.address}:${port}`
    : `  server ${slot} ${emptySlotAddress}:${port} disabled`
}

/**
 * Puts the targets into slots: who has one keeps it, a new one gets a free one, and of the free ones
 * the one that was left longest ago is not known, so the first. Pure.
 * @throws RangeError with more targets than slots.
 */
export function assignSlots(before: SlotTable, targets: readonly BalancerTarget[]): SlotTable {
  const table: SlotTable = {}
  for (const slot of slots) {
    const target = targets.find((wanted) => wanted.name === before[slot]?.name)
    if (target) table[slot] = target
  }
  for (const target of targets) {
    if (slots.some((slot) => table[slot]?.name === target.name)) continue
    // Rather one that nobody sat in a moment ago: its connections may still be draining.
    const free = slots.find((slot) => !table[slot] && !before[slot]) ?? slots.find((slot) => !table[slot])
    if (!free) throw new RangeError(`More than ${slots.length} masters behind one endpoint`)
    table[free] = target
  }
  return table
}
