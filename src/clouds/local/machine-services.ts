/** What kubeadm 1.36 calls the sandbox image; must be the one in the machines' image store. */
export const sandboxImage = 'registry.k8s.io/pause:3.10.2'

/**
 * containerd 2's configuration, version 3.
 * `restrict_oom_score_adj`: without CAP_SYS_RESOURCE each sandbox would die with "can't get final
 * child's PID from pipe: EOF". runc must use the same cgroup driver as kubelet: cgroupfs on
 * version 1, systemd on version 2.
 */
export function containerdConfig(cgroupVersion: 1 | 2): string {
  return `version = 3
root = '/var/lib/containerd'
state = '/run/containerd'
disabled_plugins = ['io.containerd.nri.v1.nri', 'io.containerd.tracing.processor.v1.otlp', 'io.containerd.internal.v1.tracing']

[grpc]
  address = '/run/containerd/containerd.sock'

[plugins.'io.containerd.cri.v1.images']
  snapshotter = 'overlayfs'
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = '${sandboxImage}'

[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins.'io.containerd.cri.v1.runtime'.containerd]
    default_runtime_name = 'runc'
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
      runtime_type = 'io.containerd.runc.v2'
      [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
        SystemdCgroup = ${cgroupVersion === 2}
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ['/opt/cni/bin']
    conf_dir = '/etc/cni/net.d'
`
}

export const containerdUnit = `[Unit]
Description=containerd
After=holdfast-boot.service dbus.socket
Requires=holdfast-boot.service

[Service]
Type=notify
Environment=PATH=/opt/holdfast/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
ExecStart=/opt/holdfast/bin/containerd
Delegate=yes
KillMode=process
Restart=always
RestartSec=1
LimitNPROC=infinity
LimitCORE=0
TasksMax=infinity
OOMScoreAdjust=-999

[Install]
WantedBy=multi-user.target
`

/** Started by the agent, never by the boot: no static pod may run before the agent has decided. */
export const kubeletUnit = `[Unit]
Description=kubelet
After=containerd.service
StartLimitIntervalSec=0

[Service]
Environment=PATH=/opt/holdfast/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
ExecStart=/opt/holdfast/bin/kubelet
Restart=always
RestartSec=1
CPUAccounting=true
MemoryAccounting=true
`

/** kubeadm's own drop-in, as its packages install it (release/cmd/krel/templates, 10-kubeadm.conf). */
export const kubeletDropIn = `[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
EnvironmentFile=-/etc/default/kubelet
ExecStart=
ExecStart=/opt/holdfast/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
`

/**
 * A small heap, one arena and few threads keep the agent below 90 MB, of which 56 are Node's own code.
 * KillMode=process: what the agent started (a restore, a shell) is not cut when it is restarted. */
export const agentUnit = `[Unit]
Description=Holdfast agent
After=holdfast-boot.service
Requires=holdfast-boot.service
StartLimitIntervalSec=0

[Service]
Environment=PATH=/opt/holdfast/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
Environment=NODE_ENV=production MALLOC_ARENA_MAX=1 MALLOC_TRIM_THRESHOLD_=65536 UV_THREADPOOL_SIZE=2
ExecStart=/opt/holdfast/node --max-semi-space-size=1 --max-old-space-size=48 --v8-pool-size=1 --optimize-for-size --expose-gc /opt/holdfast/agent.cjs
Restart=always
RestartSec=1
KillMode=process

[Install]
WantedBy=multi-user.target
`
