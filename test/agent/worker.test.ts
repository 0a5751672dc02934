import { expect, test } from 'vitest'
import { withNodeIp } from '../../src/agent/worker.ts'

const flags = (address: string): string =>
  `KUBELET_KUBEADM_ARGS="--node-ip=${address} --node-labels=topology.kubernetes.io/zone=a --pod-infra-container-image=p"\n`

test('a worker whose machine has another address now tells kubelet, and changes no other flag', () => {
  expect(withNodeIp(flags('10.213.0.5'), '10.213.0.17')).toBe(flags('10.213.0.17'))
})

test('the address at the end of the flags, and none at all', () => {
  expect(withNodeIp('KUBELET_KUBEADM_ARGS="--node-ip=10.0.0.5"\n', '10.0.0.6')).toBe(
    'KUBELET_KUBEADM_ARGS="--node-ip=10.0.0.6"\n',
  )
  expect(withNodeIp('KUBELET_KUBEADM_ARGS=""\n', '10.0.0.6')).toBe('KUBELET_KUBEADM_ARGS=""\n')
})
