import type { EtcdName } from '../spec/types.ts'
import type { StateStore } from '../store/store.ts'
import type { Machine, UserData, Volume } from './cloud.ts'

/**
 * Surroundings: the agent's side of a cloud. Small on purpose, so that an agent never carries a
 * cloud's whole library with it.
 */
export interface Surroundings {
  /** Who and where am I. Known without the network: read from the machine itself. */
  identify(): Promise<Identity>
  /** Every machine of this cluster that is alive. One that is not listed is proven dead. */
  machines(): Promise<Machine[]>
  /** The volumes of one seat. */
  volumes(seat: string): Promise<Volume[]>
  /**
   * Attaches a volume to this machine and no other, and returns its block device.
   * @throws HoldfastError `volume-busy` while another machine has it, `zone-mismatch`, `volume-missing`.
   */
  attach(volumeId: string): Promise<{ device: string }>
  /** Asks for a new, empty volume in this machine's zone. */
  createVolume(seat: string, etcd: EtcdName): Promise<Volume>
  /** The state store with this machine's rights. */
  store(): StateStore
}

export interface Identity extends UserData {
  machineId: string
  zone: string
  address: string
  endpoint: { address: string; port: number }
}
