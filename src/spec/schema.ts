import { z } from 'zod'
import { DNS_LABEL, DNS_NAME } from './names.ts'
import { NETWORKING_KINDS } from './networking.ts'
import { API_VERSION } from './types.ts'

/**
 * The file format: shapes and types only. What words mean together (ranges, zones, majorities) is
 * checked by `validate.ts`, so that flags and files answer alike. Unknown fields are problems.
 * Patterns and defaults given as `meta` are for editors, through the JSON Schema in docs/schema.
 */
const text = (description: string, meta: Record<string, unknown> = {}) =>
  z.string().meta({ description, ...meta })

const count = (description: string, meta: Record<string, unknown> = {}) =>
  z.int().meta({ description, ...meta })

const etcd = (name: string) =>
  z
    .strictObject({
      volumeSizeGib: count(`Size of each master's volume for etcd ${name}, in GiB.`, {
        minimum: 1,
      }).optional(),
      quotaBytes: count(`Most that etcd ${name} may hold, in bytes; must fit the volume.`).optional(),
    })
    .meta({ description: `The etcd cluster ${name}.` })
    .optional()

export const clusterSchema = z
  .strictObject({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal('Cluster'),
    metadata: z.strictObject({
      name: text("The cluster's name, which may be a DNS name.", { pattern: DNS_NAME }),
    }),
    spec: z
      .strictObject({
        cloud: z
          .enum(['local', 'aws', 'hosts'])
          .meta({ description: 'Where the machines live.', default: 'local' })
          .optional(),
        kubernetesVersion: text('For example 1.36.3.', { pattern: '^v?\\d+\\.\\d+\\.\\d+$' }).optional(),
        zones: z
          .array(text('A zone.'))
          .min(1)
          .meta({
            description:
              'Every zone that groups may use; on the local cloud a, b and c where nothing is said.',
          })
          .optional(),
        topology: z
          .enum(['public', 'private'])
          .meta({ description: 'Whether machines have public addresses.', default: 'private' })
          .optional(),
        networking: z
          .strictObject({
            kind: z
              .enum(NETWORKING_KINDS)
              .meta({
                description: 'vxlan works everywhere; routed needs one layer-2 network; cni: bring your own.',
                default: 'vxlan',
              })
              .optional(),
            podCidr: text(
              'Addresses of pods; every node gets a /24 of it. Another range is chosen where nothing is said and this one is taken.',
              {
                default: '10.244.0.0/16',
              },
            ).optional(),
            serviceCidr: text(
              'Addresses of services. Another range is chosen where nothing is said and this one is taken.',
              { default: '10.96.0.0/12' },
            ).optional(),
            machineCidr: text(
              "The machines' own network; a free one is chosen where nothing is said.",
            ).optional(),
            clusterDomain: text('DNS domain inside the cluster.', { default: 'cluster.local' }).optional(),
          })
          .optional(),
        egress: z
          .enum(['none', 'nat'])
          .meta({
            description: 'Whether machines may reach out; none on the local cloud where nothing is said.',
          })
          .optional(),
        api: z
          .strictObject({
            port: count("The endpoint's port.", { minimum: 1, maximum: 65535, default: 6443 }).optional(),
            dnsName: text('A DNS name that leads to the endpoint.').optional(),
            extraNames: z
              .array(text('A DNS name or an IPv4 address.'))
              .meta({ description: 'More names for the serving certificates.' })
              .optional(),
          })
          .optional(),
        etcd: z.strictObject({ main: etcd('main'), events: etcd('events') }).optional(),
        dnsZone: text('Hosted DNS zone that gets the names of the cluster.').optional(),
        cloudLabels: z
          .record(z.string(), z.string())
          .meta({ description: 'Tags on everything in the cloud.' })
          .optional(),
      })
      .optional(),
  })
  .meta({ title: 'Holdfast Cluster' })

export const instanceGroupSchema = z
  .strictObject({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal('InstanceGroup'),
    metadata: z.strictObject({
      name: text("The group's name.", { pattern: DNS_LABEL }),
      cluster: text('The name of the cluster it belongs to.', { pattern: DNS_NAME }),
    }),
    spec: z.strictObject({
      role: z
        .enum(['master', 'control-plane', 'node', 'worker'])
        .meta({ description: 'master and control-plane are the same, and so are node and worker.' }),
      zones: z
        .array(text('A zone.'))
        .min(1)
        .meta({ description: 'A master group has one; nodes are spread over theirs.' }),
      size: count('Machines that the group keeps alive; a master group has 0 or 1.', {
        minimum: 0,
        default: 1,
      }).optional(),
      seat: text(
        'Masters only: the seat of the machine; free letters are given in order where nothing is said.',
        {
          pattern: '^[a-z]$',
        },
      ).optional(),
      machineType: text('For example t3.medium.').optional(),
      image: text('Operating system image.').optional(),
      securityGroups: z.array(text('For example sg-12345678.')).optional(),
      nodeLabels: z.record(z.string(), z.string()).meta({ description: 'Labels of the nodes.' }).optional(),
      taints: z
        .array(text('For example dedicated=gpu:NoSchedule.'))
        .meta({ description: 'Taints of the nodes.' })
        .optional(),
    }),
  })
  .meta({ title: 'Holdfast InstanceGroup' })

/** As written by a user, before defaults. */
export type ClusterInput = z.infer<typeof clusterSchema>
export type InstanceGroupInput = z.infer<typeof instanceGroupSchema>

/** JSON Schemas for editors, by file name in docs/schema. */
export const jsonSchemas = (): Record<'cluster.json' | 'instancegroup.json', unknown> => ({
  'cluster.json': z.toJSONSchema(clusterSchema, { io: 'input' }),
  'instancegroup.json': z.toJSONSchema(instanceGroupSchema, { io: 'input' }),
})
