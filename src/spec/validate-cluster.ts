import type { Problem } from '../errors.ts'
import { parseIpv4 } from './cidr.ts'
import { versionFault } from './kubernetes-version.ts'
import { dnsNameFault, labelFault } from './names.ts'
import type { Declaration, EtcdSpec } from './types.ts'
import { ETCD_NAMES } from './types.ts'

const GIB = 2 ** 30
/** The longest name: `events.CLUSTER` stays below the 64 characters of a certificate's common name. */
const longestClusterName = 50
/** A zone is part of the name of its master's group and so of its machines. */
const longestZone = 24
/** etcd keeps its log beside the database: 5 files of 64 MB, and snapshots. */
const logRoomBytes = GIB / 2
/** https://etcd.io/docs/latest/dev-guide/limit/ */
const suggestedQuotaBytes = 8 * GIB

/** Names, version, zones, port and volumes. */
export function clusterProblems({ cluster }: Declaration): Problem[] {
  const problems: Problem[] = []
  const error = (path: string, message: string, remedy: string) =>
    problems.push({ severity: 'error', path: `cluster.${path}`, message, remedy })
  const { spec } = cluster

  const name = cluster.metadata.name
  const fault = dnsNameFault(name, longestClusterName)
  if (fault)
    error(
      'metadata.name',
      `the cluster's name "${name}" ${fault}`,
      'Use a name such as hacluster or hacluster.example.com.',
    )

  const version = versionFault(spec.kubernetesVersion)
  if (version) error('spec.kubernetesVersion', version.message, version.remedy)

  if (spec.zones.length === 0) error('spec.zones', 'there is no zone', 'Name one zone at least.')
  for (const [index, zone] of spec.zones.entries()) {
    const wrong = labelFault(zone, longestZone)
    if (wrong)
      error(
        `spec.zones[${index}]`,
        `the zone's name "${zone}" ${wrong}`,
        'Use a name such as a or us-west-2a.',
      )
    else if (spec.zones.indexOf(zone) < index)
      error(`spec.zones[${index}]`, `zone ${zone} is there twice`, 'Name it once.')
  }

  if (!Number.isInteger(spec.api.port) || spec.api.port < 1 || spec.api.port > 65535)
    error('spec.api.port', `${spec.api.port} is no port`, 'Use 1 to 65535; 6443 is usual.')
  const named: [string, string | undefined][] = [
    ['spec.networking.clusterDomain', spec.networking.clusterDomain],
    ['spec.api.dnsName', spec.api.dnsName],
    ['spec.dnsZone', spec.dnsZone],
  ]
  for (const [path, value] of named) {
    const wrong = value === undefined ? undefined : dnsNameFault(value)
    if (wrong) error(path, `the DNS name "${value}" ${wrong}`, 'Use a name such as example.com.')
  }
  for (const [index, extra] of spec.api.extraNames.entries())
    if (parseIpv4(extra) === undefined && dnsNameFault(extra))
      error(
        `spec.api.extraNames[${index}]`,
        `"${extra}" is neither a DNS name nor an IPv4 address`,
        'Use one such as api.example.com.',
      )

  for (const etcd of ETCD_NAMES) problems.push(...etcdProblems(etcd, spec.etcd[etcd]))
  return problems
}

function etcdProblems(name: string, { volumeSizeGib, quotaBytes }: EtcdSpec): Problem[] {
  const path = `cluster.spec.etcd.${name}`
  if (!Number.isInteger(volumeSizeGib) || volumeSizeGib < 1 || volumeSizeGib > 16_384)
    return [
      {
        severity: 'error',
        path: `${path}.volumeSizeGib`,
        message: `a volume of ${volumeSizeGib} GiB is not possible`,
        remedy: 'Use a whole number of GiB, 1 to 16384.',
      },
    ]
  if (!Number.isInteger(quotaBytes) || quotaBytes < GIB / 16)
    return [
      {
        severity: 'error',
        path: `${path}.quotaBytes`,
        message: `a quota of ${quotaBytes} bytes is too small for etcd ${name}`,
        remedy: 'Use 67108864 (64 MiB) at least.',
      },
    ]
  const size = volumeSizeGib * GIB
  if (quotaBytes + logRoomBytes > size)
    return [
      {
        severity: 'error',
        path: `${path}.quotaBytes`,
        message: `the quota of ${quotaBytes} bytes and half a GiB for etcd's log do not fit the volume of ${volumeSizeGib} GiB`,
        remedy: `Use a quota of at most ${size - logRoomBytes} bytes, or a larger volume.`,
      },
    ]
  const warn = (message: string, remedy: string): Problem => ({
    severity: 'warning',
    path: `${path}.quotaBytes`,
    message,
    remedy,
  })
  return [
    ...(2 * quotaBytes + logRoomBytes > size
      ? [
          warn(
            `when etcd ${name} is nearly full it cannot be defragmented, which writes a second copy`,
            `Use a quota of at most ${(size - logRoomBytes) / 2} bytes, or a larger volume.`,
          ),
        ]
      : []),
    ...(quotaBytes > suggestedQuotaBytes
      ? [
          warn(
            `etcd's authors advise against a quota above ${suggestedQuotaBytes} bytes (8 GiB)`,
            'Use a smaller one.',
          ),
        ]
      : []),
  ]
}
