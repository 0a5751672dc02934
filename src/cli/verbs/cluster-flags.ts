import { type Command, Option } from 'commander'
import { kubernetes } from '../../constants.ts'

/** What `up` and `create cluster` share. `declarationFromFlags` gives the words their meaning. */
export function withClusterFlags(command: Command): Command {
  return command
    .option('--masters <n>', 'masters: 1, 3 or 5 (default: 3)')
    .addOption(new Option('--control-planes <n>', 'the same').hideHelp())
    .option('--workers <n>', 'workers (default: 1)')
    .option('--zones <list>', 'zones of the cluster (default: a,b,c)')
    .option('--kubernetes-version <version>', `for example ${kubernetes.defaultVersion} (the default)`)
    .option('--networking <kind>', 'pod network: vxlan, routed or cni (default: vxlan)')
    .option('--pod-cidr <range>', 'addresses of pods')
    .option('--service-cidr <range>', 'addresses of services')
    .option('--network-cidr <range>', 'addresses of machines')
    .option('--egress <kind>', 'none or nat: whether machines may reach out to pull images (default: none)')
}

/** kops' further names; the older and the newer word for a master are accepted. */
export function withKopsFlags(command: Command): Command {
  const same = (flags: string) => new Option(flags, 'the same').hideHelp()
  return command
    .option('--cloud <cloud>', 'local, aws or hosts (default: as the zones say)')
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
    .option('--topology <kind>', 'public or private')
    .option('--dns-zone <zone>', 'DNS zone of the cluster’s names')
    .option('--cloud-labels <labels>', 'for example "Team=Dev,Owner=John Doe"')
    .option('--image <image>', 'operating system image of machines')
}
