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
ps -eo pid,ppid,stat,wchan:20,etimes,args --sort=pid | grep -E 'etcd|kube-|containerd-shim' | cut -c1-120
grep -v '^$' /proc/locks | head -n 20
pki=/etc/kubernetes/pki/etcd
for port in 2379 4002; do
  etcdctl --endpoints=https://127.0.0.1:$port --command-timeout=3s --cacert=$pki/ca.crt --cert=$pki/server.crt --key=$pki/server.key endpoint status 2>&1 | tail -n 1
done
ss -tnp '( sport = :2380 or dport = :2380 )' 2>/dev/null
for part in etcd-main etcd-events kube-apiserver; do
  file=$(ls -t /var/log/pods/kube-system_$part-*/*/*.log | head -n 1)
  echo "-- $file" && head -n 1 "$file" && tail -n 15 "$file" | cut -c1-300
  grep -h 'switched to configuration\\|change failed\\|snapshot' "$file" | cut -c1-300
done
journalctl --boot --quiet --no-pager --unit=holdfast-agent | tail -n 30
journalctl --boot --quiet --no-pager --unit=kubelet | grep -v 'reconciler_common\\|TearDown' | tail -n 30 | cut -c1-300`
