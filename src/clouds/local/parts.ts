/**
 * The local cloud's two halves meet here: `network`, `machine`, `volume` and the balancer act on
 * this host; the daemon (`daemon.ts`) decides when.
 */
import type { EtcdName } from '../../spec/types.ts'
import type { Machine, UserData, Volume } from '../cloud.ts'
import type { ProcessIdentity } from './process.ts'

/** What is remembered about one local cluster, in `HOME/local/clusters/NAME/cluster.json`. */
export interface LocalCluster {
  name: string
  /** Small number, unique among this home's clusters: part of interface names. */
  index: number
  network?: { cidr: string; gateway: string; device: string; egress: 'none' | 'nat' }
  endpoint?: { address: string; port: number }
  groups: Record<string, LocalGroup>
  /** Where the machines' state store is; remembered because the machines ask for it through the daemon. */
  storeUrl?: string
  /** Sizes that a master may ask for when a volume of its seat was lost; from the last create-volume steps. */
  volumeSizesGib?: Partial<Record<EtcdName, number>>
  /** The address given out last, so that a replacement does not get its predecessor's at once. */
  lastAddress?: string
}

export interface LocalGroup {
  name: string
  role: 'master' | 'node'
  zones: string[]
  size: number
  userData: UserData
  /** What its machines are made from. */
  assets?: MachineAssets
  /** The last machines of this group that died by themselves, oldest first; see `reconcile.ts`. */
  deaths?: Death[]
}

export interface Death {
  machine: string
  /** RFC 3339. */
  at: string
  /** From its start to its death, at least; 0 for one that never came up. */
  livedMs: number
  /** What was seen, where anything is known. */
  reason?: string
}

/** `HOME/local/clusters/NAME/machines/ID/machine.json`. */
export interface LocalMachine extends Machine {
  cluster: string
  /** Name of the veth's end on the host: `PREFIX-…`, at most 15 characters. */
  device: string
  /** The nspawn process. */
  process?: ProcessIdentity
  /** What it was made from; a later change of its group is for later machines, also when it reboots. */
  made?: { userData: UserData; assets: MachineAssets }
  /** It is to start again on its own disk with its own id: what for. Written before it is stopped. */
  restart?: string
  /** The reboot that was asked for last; see `PowerOptions.request`. */
  reboot?: string
  /** It is to go away: what for. */
  doomed?: string
  /** Attaching is refused until released; for drills (a volume that does not come back after a reboot). */
  withholdVolumes?: boolean
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
