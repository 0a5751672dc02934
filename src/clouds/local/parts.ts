/**
 * The local cloud's two halves meet here: `network`, `machine`, `volume` and the balancer act on
 * this host; the daemon (`daemon.ts`) decides when.
 */
import type { Machine, UserData, Volume } from '../cloud.ts'

/** What is remembered about one local cluster, in `HOME/local/clusters/NAME/cluster.json`. */
export interface LocalCluster {
  name: string
  /** Small number, unique among this home's clusters: part of interface names. */
  index: number
  network?: { cidr: string; gateway: string; device: string; egress: 'none' | 'nat' }
  endpoint?: { address: string; port: number }
  groups: Record<string, LocalGroup>
}

export interface LocalGroup {
  name: string
  role: 'master' | 'node'
  zones: string[]
  size: number
  userData: UserData
}

/** `HOME/local/clusters/NAME/machines/ID/machine.json`. */
export interface LocalMachine extends Machine {
  cluster: string
  /** Name of the veth's end on the host: `PREFIX-…`, at most 15 characters. */
  device: string
  /** The nspawn process and its start time in clock ticks, so that a reused pid is noticed. */
  process?: { pid: number; startTime: string }
}

/** `HOME/local/clusters/NAME/volumes/ID.json`; the data is in `ID.img` beside it. */
export interface LocalVolume extends Volume {
  cluster: string
}

/** What a machine is made from; resolved by `src/assets`. */
export interface MachineAssets {
  /** Read-only root of every machine (Debian with systemd). */
  machineRoot: string
  /** kubelet, kubeadm, kubectl, containerd, containerd-shim-runc-v2, ctr, etcd, etcdctl, etcdutl. */
  binDir: string
  /** bridge, ptp, loopback, host-local, portmap. */
  cniDir: string
  /** /var/lib/containerd with every image imported: hard-linked for each machine, its .db files copied. */
  containerdTemplate: string
  /** Node 24's binary, for the agent. */
  nodeBinary: string
  /** The agent's bundle, one file. */
  agentBundle: string
  agentSha256: string
}
