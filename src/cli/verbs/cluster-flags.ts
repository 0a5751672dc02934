import { type Command, Option } from 'commander'
import { kubernetes } from '../../constants.ts'
import { NETWORKING_KINDS } from '../../spec/networking.ts'
import { suggesting } from '../options.ts'

/** What `up` and `create cluster` share. `declarationFromFlags` gives the words their meaning. */
export function withClusterFlags(command: Command): Command {
  return command
    .option('--masters <n>', 'masters: 1, 3 or 5 (default: 3)')
    .addOption(new Option('--control-planes <n>', 'the same').hideHelp())
    .option('--workers <n>', 'workers (default: 1)')
    .option('--zones <list>', 'zones of the cluster (default: a,b,c)')
    .addOption(
      suggesting(
        new Option(
          '--kubernetes-version <version>',
          `version of Kubernetes (default: ${kubernetes.defaultVersion})`,
        ),
        kubernetes.supportedVersions,
      ),
    )
    .addOption(
      suggesting(new Option('--networking <kind>', 'pod network (default: vxlan)'), NETWORKING_KINDS),
    )
    .option('--pod-cidr <range>', 'addresses of pods')
    .option('--service-cidr <range>', 'addresses of services')
    .option('--network-cidr <range>', 'addresses of machines')
    .addOption(
      suggesting(
        new Option('--egress <kind>', 'whether machines may reach out to pull images (default: none)'),
        ['none', 'nat'],
      ),
    )
}

/** kops' further names; the older and the newer word for a master are accepted. */
export function withKopsFlags(command: Command): Command {
  const same = (flags: string) => new Option(flags, 'the same').hideHelp()
  return command
    .addOption(
      suggesting(new Option('--cloud <cloud>', 'where it is made (default: as the zones say)'), [
        'local',
        'aws',
        'hosts',
      ]),
    )
    .option('--master-zones <list>', 'a master in each of these zones')
    .addOption(same('--control-plane-zones <list>'))
    .option('--master-count <n>', 'masters, spread over the master zones')
    .addOption(same('--control-plane-count <n>'))
    .option('--node-count <n>', 'workers')
    .option('--master-size <type>', 'machine type of masters')
    .addOption(same('--control-plane-size <type>'))
    .option('--node-size <type>', 'machine type of workers')
    .option('--master-security-groups <list>', 'more security groups of masters')
    .addOption(same('--control-plane-security-groups <list>'))
    .option('--node-security-groups <list>', 'more security groups of workers')
    .addOption(
      suggesting(new Option('--topology <kind>', 'whether machines have public addresses'), [
        'public',
        'private',
      ]),
    )
    .option('--dns-zone <zone>', 'DNS zone of the cluster’s names')
    .option('--cloud-labels <labels>', 'for example "Team=Dev,Owner=John Doe"')
    .option('--image <image>', 'operating system image of machines')
}
