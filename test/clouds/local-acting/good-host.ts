import type { OfficialSites } from '../../../src/assets/official.ts'
import type { HostFacts, Wanted } from '../../../src/clouds/local/preflight-rules.ts'

export const gib = 1024 ** 3
/** A host on which preflight finds nothing. */
export const goodHost: HostFacts = {
  root: true,
  sudo: false,
  distribution: { id: 'debian', like: [], version: '12' },
  architecture: 'x64',
  memory: { total: 8 * gib, available: 6 * gib },
  disk: [
    { path: '/home', what: 'home', device: 1, free: 50 * gib, writable: true },
    { path: '/cache', what: 'cache', device: 2, free: 50 * gib, writable: true },
    { path: '/go/build', what: 'go-build', device: 3, free: 50 * gib, writable: true },
    { path: '/go/mod', what: 'go-modules', device: 3, free: 50 * gib, writable: true },
  ],
  missingTools: [],
  hasApt: true,
  go: { version: 'go1.26.8', toolchain: 'local' },
  cgroup: { version: 2, controllers: ['cpu', 'cpuset', 'io', 'memory', 'pids'] },
  loopControl: true,
  fuse: true,
  overlay: { works: true },
  links: [{ kind: 'bridge', works: true }],
  inotify: { instances: 128, writable: true },
}
export const usual: Wanted = { machines: 4, running: 0, volumesGib: 12, fetch: true, build: true }
/** Nobody listens there, so nothing leaves this host. */
export const noSites: OfficialSites = { kubernetes: 'http://127.0.0.1:1', github: 'http://127.0.0.1:1' }
