import { machinesOf, tryInside } from './machines.ts'

/** Why a master does not work is in its logs, and the machines are gone when somebody reads of it. */
export async function lastWords(cluster?: string): Promise<string> {
  const words = (await machinesOf('master', cluster)).map(
    async (machine) => `== ${machine.id} ${machine.address}\n${(await tryInside(machine, script)).stdout}`,
  )
  return (await Promise.all(words)).join('\n')
}

const script = `
cat /etc/hosts
for part in etcd-main etcd-events kube-apiserver; do
  file=$(ls -t /var/log/pods/kube-system_$part-*/*/*.log | head -n 1)
  echo "-- $file" && head -n 1 "$file" && tail -n 15 "$file" | cut -c1-300
done
journalctl --boot --quiet --no-pager --unit=holdfast-agent | tail -n 30`
