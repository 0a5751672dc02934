import { writeFile } from 'node:fs/promises'
import { messageOf } from '../../errors.ts'
import { HostCommandError } from '../../hosts/host.ts'
import { localHost } from '../../hosts/local.ts'

/** Everything we add to other programs' chains carries this comment, and is removed by it. */
const ownComment = (device: string) => `holdfast ${device}`

/**
 * Lets the machines of one bridge reach each other, and the outside only with egress `nat`.
 * Our own rules stand in an nft table with the bridge's name. A table of ours cannot undo another
 * program's drop, so where Docker's iptables policy or firewalld would drop the bridge's frames
 * (they see them when br_netfilter is loaded) one accepting rule goes in there too.
 */
export async function addForwarding(device: string, egress: 'none' | 'nat'): Promise<void> {
  const host = localHost()
  await host.run(['nft', '-f', '-'], { input: nftTable(device, egress) })
  if (egress === 'nat') await writeFile('/proc/sys/net/ipv4/ip_forward', '1\n')
  await acceptInIptables(device, egress)
  await acceptInFirewalld(device)
}

export async function removeForwarding(device: string): Promise<void> {
  const host = localHost()
  await host.run(['nft', '-f', '-'], { input: `table inet ${device}\ndelete table inet ${device}\n` })
  for (const rule of ownIptablesRules(await iptablesRules(), device)) {
    await host.run(['iptables', '-w', '5', '-D', ...rule])
  }
  await host.run(['firewall-cmd', '--zone=trusted', `--remove-interface=${device}`]).catch(() => {})
}

/** Declares, deletes and declares again in one transaction: the same result whatever was there. */
export function nftTable(device: string, egress: 'none' | 'nat'): string {
  const outside =
    egress === 'nat'
      ? [`    oifname "${device}" ct state established,related accept`, `    iifname "${device}" accept`]
      : [`    iifname "${device}" drop`, `    oifname "${device}" drop`]
  const masquerade = [
    '  chain postrouting {',
    '    type nat hook postrouting priority srcnat; policy accept;',
    `    iifname "${device}" oifname != "${device}" masquerade`,
    '  }',
  ]
  return [
    `table inet ${device}`,
    `delete table inet ${device}`,
    `table inet ${device} {`,
    '  chain forward {',
    '    type filter hook forward priority filter - 1; policy accept;',
    `    iifname "${device}" oifname "${device}" accept`,
    ...outside,
    '  }',
    ...(egress === 'nat' ? masquerade : []),
    '}',
    '',
  ].join('\n')
}

/** `iptables -S FORWARD`; empty where there is no iptables. */
async function iptablesRules(): Promise<string> {
  return localHost()
    .run(['iptables', '-w', '5', '-S', 'FORWARD'])
    .then(
      ({ stdout }) => stdout,
      () => '',
    )
}

async function acceptInIptables(device: string, egress: 'none' | 'nat'): Promise<void> {
  if (!forwardDrops(await iptablesRules())) return
  const comment = ['-m', 'comment', '--comment', ownComment(device)]
  const matches = [['-i', device, '-o', device]]
  if (egress === 'nat') {
    matches.push(['-i', device, '!', '-o', device])
    matches.push(['-o', device, '-m', 'conntrack', '--ctstate', 'ESTABLISHED,RELATED'])
  }
  for (const match of matches) {
    const rule = [...match, ...comment, '-j', 'ACCEPT']
    // Each by itself: whoever inserted the first may have been killed before the others.
    if (!(await hasIptablesRule(rule)))
      await localHost().run(['iptables', '-w', '5', '-I', 'FORWARD', '1', ...rule])
  }
}

async function hasIptablesRule(rule: readonly string[]): Promise<boolean> {
  try {
    await localHost().run(['iptables', '-w', '5', '-C', 'FORWARD', ...rule])
    return true
  } catch (error) {
    // iptables(8) ends with 1 where there is none; with others when it could not look.
    if (error instanceof HostCommandError && error.exitStatus === 1) return false
    throw error
  }
}

/** Would the chain drop what no rule of it accepts? Docker sets the policy to DROP. Pure. */
export const forwardDrops = (rules: string): boolean =>
  /^-P FORWARD DROP$/m.test(rules) || /^-A FORWARD\b.* -j (DROP|REJECT|DOCKER|ufw-)/m.test(rules)

/** Our rules as the words that follow `-D`. Pure. */
export function ownIptablesRules(rules: string, device: string): string[][] {
  return rules
    .split('\n')
    .filter((line) => line.startsWith('-A FORWARD') && line.includes(`"${ownComment(device)}"`))
    .map((line) => (line.match(/"[^"]*"|\S+/g) ?? []).slice(1).map((word) => word.replace(/^"|"$/g, '')))
}

async function acceptInFirewalld(device: string): Promise<void> {
  const host = localHost()
  const running = await host.run(['firewall-cmd', '--state']).then(
    () => true,
    () => false,
  )
  if (!running) return
  await host
    .run(['firewall-cmd', '--zone=trusted', `--change-interface=${device}`])
    .catch((error: unknown) => {
      throw new Error(`firewalld would drop traffic on ${device}: ${messageOf(error)}`)
    })
}
