import { vxlan } from './pod-network.ts'

export const cniConfigFile = '/etc/cni/net.d/10-holdfast.conflist'

/** The standard plugins: a bridge with addresses of the node's own range, and host ports. */
export function renderCniConfig(kind: 'vxlan' | 'routed', podCidr: string, uplinkMtu: number): string {
  const mtu = kind === 'vxlan' ? uplinkMtu - vxlan.overheadBytes : uplinkMtu
  const config = {
    cniVersion: '1.0.0',
    name: 'holdfast',
    plugins: [
      {
        type: 'bridge',
        bridge: 'cni0',
        isDefaultGateway: true,
        hairpinMode: true,
        mtu,
        ipam: { type: 'host-local', ranges: [[{ subnet: podCidr }]], dataDir: '/run/cni-ipam' },
      },
      { type: 'portmap', capabilities: { portMappings: true }, backend: 'nftables' },
    ],
  }
  return `${JSON.stringify(config, null, 2)}\n`
}

/** The rule as nftables also lists it: pods reach what is not a pod under their node's address. */
export const masqueradeRule = (podCidr: string): string =>
  `ip saddr ${podCidr} ip daddr != ${podCidr} ip daddr != 224.0.0.0/4 masquerade`

/** A table of its own with this rule, for `nft -f`; loading it again replaces it. */
export function renderMasquerade(podCidr: string): string {
  return [
    'table ip holdfast',
    'delete table ip holdfast',
    'table ip holdfast {',
    '  chain postrouting {',
    '    type nat hook postrouting priority srcnat;',
    `    ${masqueradeRule(podCidr)}`,
    '  }',
    '}',
    '',
  ].join('\n')
}
