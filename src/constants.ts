/** Ports and time-outs that several parts share. Units are in the names. */
export const ports = {
  apiserver: 6443,
  etcd: {
    main: { client: 2379, peer: 2380, metrics: 2381 },
    events: { client: 4002, peer: 2382, metrics: 2383 },
  },
} as const

/** What every module of assets/modules asks for. */
export const leastGo = '1.26'

export const kubernetes = {
  defaultVersion: '1.36.3',
  supportedVersions: ['1.36.3'],
} as const
