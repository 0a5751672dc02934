import type { Check } from './check.ts'
import { apiserversReady, corednsAvailable, kubeProxyPods } from './components.ts'
import { etcdVoters } from './etcd.ts'
import { balancerTargets, endpointReady, machinesRunning } from './machines.ts'
import { mastersReady, workersReady } from './nodes.ts'

/** Every condition of a working cluster, in the order in which they come true. One list for all uses. */
export const clusterChecks: readonly Check[] = [
  machinesRunning,
  etcdVoters('main'),
  etcdVoters('events'),
  endpointReady,
  balancerTargets,
  mastersReady,
  workersReady,
  apiserversReady,
  kubeProxyPods,
  corednsAvailable,
]
