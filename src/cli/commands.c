/* cli/commands.c - every command of the client, one row each. Commands of one name are neighbours. */
#include "cli/command.h"

const struct option_row common_options[] = {
    { "namespace", 'n', "NS", "Namespace; $VIRGA_NAMESPACE, or else \"default\"" },
    { "socket", 0, "PATH", "Unix socket of the server; $VIRGA_SOCKET" },
    { "server", 0, "URL", "Server by TLS, as https://host:7443; $VIRGA_SERVER" },
    { "ca", 0, "FILE", "CA that the server's certificate is signed by; $VIRGA_CA" },
    { "cert", 0, "FILE", "Client certificate; $VIRGA_CERT" },
    { "key", 0, "FILE", "Its private key; $VIRGA_KEY" },
    { "token-file", 0, "FILE", "File with a bearer token; or the token itself in $VIRGA_TOKEN" },
    { "kubeconfig", 0, "FILE", "All of these from a kubeconfig; $VIRGA_KUBECONFIG" },
    { "context", 0, "NAME", "Context of the kubeconfig; absent: its current one" },
    { "help", 'h', NULL, "Show this help" },
    { 0 },
};

static const struct option_row get_options[] = {
    { "output", 'o', "FORMAT", "table, wide, json, yaml or name" },
    { "all-namespaces", 'A', NULL, "Of all namespaces" },
    { "selector", 'l', "LABELS", "Only with these labels, as app=web,tier!=db" },
    { "field-selector", 0, "FIELDS", "Only with these fields, as status.phase=Running" },
    { "watch", 'w', NULL, "Go on and show what changes" },
    { 0 },
};
static const struct option_row file_options[] = {
    { "file", 'f', "FILE", "YAML or JSON, any number of documents; \"-\" is standard input" },
    { 0 },
};
static const struct option_row apply_options[] = {
    { "file", 'f', "FILE", "YAML or JSON, any number of documents; \"-\" is standard input" },
    { "dry-run", 0, NULL, "Only say whether it is right" },
    { 0 },
};
static const struct option_row kubeconfig_options[] = {
    { "user", 'u', "USER", "Whom the certificate names; absent: admin" },
    { "group", 'g', "GROUP", "Group of the user; may be given again; absent and no --user: "
                             "system:masters, which may do all" },
    { "ttl", 0, "TIME", "How long it is valid, as 720h; absent: a year" },
    { "address", 0, "HOST:PORT", "Where the server is; absent: where it listens" },
    { "output", 'o', "FILE", "Write it there, readable by you only" },
    { 0 },
};
static const struct option_row token_options[] = {
    { "user", 'u', "USER", "Whom the token stands for; absent: NAME" },
    { "group", 'g', "GROUP", "Group of the user, as system:masters; may be given again" },
    { "ttl", 0, "TIME", "How long it is valid, as 720h; absent: until it is revoked" },
    { 0 },
};
static const struct option_row audit_options[] = {
    { "follow", 'f', NULL, "Go on as the log grows" },
    { 0 },
};
static const struct option_row run_options[] = {
    { "name", 0, "NAME", "Name of the instance; absent: the image's name and a few letters" },
    { "cpus", 'c', "COUNT", "Virtual processors" },
    { "memory", 'm', "SIZE", "Memory, as 2Gi" },
    { "max-cpus", 0, "COUNT", "Processors it can be given while it runs" },
    { "max-memory", 0, "SIZE", "Memory it can be given while it runs" },
    { "disk", 'd', "SIZE", "Size of the root disk, as 20Gi" },
    { "volume", 0, "VOLUME", "Attach a volume; may be given again" },
    { "network", 0, "NETWORK", "Network; may be given again" },
    { "ssh-key", 0, "FILE", "Public key for the default user; may be given again; absent: yours" },
    { "no-ssh-key", 0, NULL, "No public key" },
    { "user-data", 0, "FILE", "cloud-init user data" },
    { "firmware", 0, "BIOS|UEFI", "Firmware" },
    { "no-wait", 0, NULL, "Do not wait until it runs" },
    { 0 },
};
static const struct option_row list_options[] = {
    { "output", 'o', "FORMAT", "table, wide, json, yaml or name" },
    { "all-namespaces", 'A', NULL, "Of all namespaces" },
    { "selector", 'l', "LABELS", "Only with these labels, as app=web" },
    { "watch", 'w', NULL, "Go on and show what changes" },
    { 0 },
};
static const struct option_row wait_options[] = {
    { "no-wait", 0, NULL, "Do not wait until it is so" },
    { 0 },
};
static const struct option_row resize_options[] = {
    { "cpus", 'c', "COUNT", "Virtual processors" },
    { "memory", 'm', "SIZE", "Memory, as 2Gi" },
    { "max-cpus", 0, "COUNT", "Processors it can be given while it runs, from its next start" },
    { "max-memory", 0, "SIZE", "Memory it can be given while it runs, from its next start" },
    { "no-wait", 0, NULL, "Do not wait until it is so" },
    { 0 },
};
static const struct option_row scale_options[] = {
    { "replicas", 0, "COUNT", "How many members there should be" },
    { "no-wait", 0, NULL, "Do not wait until they serve" },
    { 0 },
};
static const struct option_row undo_options[] = {
    { "to-revision", 0, "NUMBER", "Of status.revisions; absent: the one before" },
    { "no-wait", 0, NULL, "Do not wait until all members are of it" },
    { 0 },
};
static const struct option_row import_options[] = {
    { "checksum", 0, "SUM", "sha256:HEX or sha512:HEX of the bytes" },
    { "resume", 0, NULL, "Go on with an upload that was broken off" },
    { "no-wait", 0, NULL, "Do not wait until it is ready" },
    { 0 },
};
static const struct option_row build_options[] = {
    { "name", 0, "NAME", "Name of the image; absent: the recipe's" },
    { "package", 0, "NAME", "Debian package to install too; may be given again; not for micro" },
    { 0 },
};
static const struct option_row delete_options[] = {
    { "file", 'f', "FILE", "YAML or JSON, any number of documents; \"-\" is standard input" },
    { "no-wait", 0, NULL, "Do not wait until they are gone" },
    { 0 },
};
static const struct option_row volume_options[] = {
    { "size", 's', "SIZE", "Size, as 20Gi" },
    { "pool", 0, "POOL", "StoragePool; absent: default" },
    { "no-wait", 0, NULL, "Do not wait until it is ready" },
    { 0 },
};
static const struct option_row fork_options[] = {
    { "count", 'c', "COUNT", "How many forks, at most 100; absent: one" },
    { "name", 0, "PREFIX", "Name of the fork, or beginning of the names; absent: NAME and a few letters" },
    { "no-wait", 0, NULL, "Do not wait until they run" },
    { 0 },
};
static const struct option_row snapshot_options[] = {
    { "disk-only", 0, NULL, "The disk alone, also of an instance that does not run" },
    { "no-wait", 0, NULL, "Do not wait until it is ready" },
    { 0 },
};
static const struct option_row network_options[] = {
    { "ipv4", 0, "PREFIX", "IPv4 subnet, as 10.20.0.0/24; absent: none" },
    { "ipv6", 0, "PREFIX", "IPv6 subnet, as fd00:20::/64; absent: none" },
    { "no-wait", 0, NULL, "Do not wait until it is ready" },
    { 0 },
};
static const struct option_row exec_options[] = {
    { "timeout", 't', "TIME", "How long the command may take, as 30s" },
    { "stdin", 'i', NULL, "Give the command what comes on standard input, at most 1Mi" },
    { "no-wait", 0, NULL, "Fail at once when the guest agent does not run yet" },
    { 0 },
};
static const struct option_row forward_options[] = {
    { "address", 0, "IP", "Listen there instead of on 127.0.0.1" },
    { "network", 0, "CARD", "Network card to reach it by, as eth1; absent: the first" },
    { 0 },
};
static const struct option_row stdio_options[] = {
    { "network", 0, "CARD", "Network card to reach it by; absent: the first" },
    { "wait", 0, "TIME", "How long to try, as 60s" },
    { 0 },
};
static const struct option_row ssh_options[] = {
    { "identity", 'i', "FILE", "Private key; absent: your own" },
    { "wait", 0, "TIME", "How long the guest may take to answer; absent: 2m" },
    { 0 },
};
static const struct option_row log_options[] = {
    { "follow", 'f', NULL, "Go on as the log grows" },
    { "qemu", 0, NULL, "QEMU's own log instead of the console's" },
    { "tail", 0, "COUNT", "Only the last lines" },
    { 0 },
};
static const struct option_row screenshot_options[] = {
    { "output", 'o', "FILE", "PNG file to write; \"-\" is standard output" },
    { 0 },
};
static const struct option_row top_options[] = {
    { "all-namespaces", 'A', NULL, "Of all namespaces" },
    { "once", 0, NULL, "Print once and end" },
    { 0 },
};
static const struct option_row history_options[] = {
    { "last", 0, "TIME", "Only what is not older than that, as 1h" },
    { 0 },
};
static const struct option_row replay_options[] = {
    { "from", 0, "FILE", "Recorded samples, as \"virga autoscaler samples\" prints them; \"-\" is standard input" },
    { "last", 0, "TIME", "The server's own record of so long, as 1h; absent: all of it" },
    { "file", 'f', "FILE", "The policy to try: a manifest with an Autoscaler of that name; absent: the one applied" },
    { "start", 0, "TIME", "How long a member takes to start; absent: as recorded" },
    { "output", 'o', "FORMAT", "table, json or yaml" },
    { 0 },
};
static const struct option_row push_options[] = {
    { "member", 0, "INSTANCE", "Of this member; absent: of the whole group" },
    { 0 },
};
static const struct option_row why_options[] = {
    { "tail", 0, "COUNT", "So many of the last decisions; absent: 5" },
    { 0 },
};
static const struct option_row events_options[] = {
    { "all-namespaces", 'A', NULL, "Of all namespaces" },
    { "watch", 'w', NULL, "Go on and show what happens" },
    { 0 },
};

const struct command all_commands[] = {
    { "run", NULL, "IMAGE", 1, 1, "Start a new instance of an image",
      "virga run debian-12 --name web --memory 2Gi --ssh-key ~/.ssh/id_ed25519.pub", run_options,
      cmd_run,
      .completes = "images" },
    { "ls", NULL, NULL, 0, 0, "List instances", "virga ls -A", list_options, cmd_ls },
    { "rm", NULL, "NAME...", 1, -1, "Delete instances", "virga rm web", wait_options, cmd_rm,
      .completes = "instances" },
    { "start", NULL, "NAME...", 1, -1, "Start instances", "virga start web", wait_options,
      cmd_start,
      .completes = "instances" },
    { "stop", NULL, "NAME...", 1, -1, "Shut instances down", "virga stop web", wait_options,
      cmd_stop,
      .completes = "instances" },
    { "pause", NULL, "NAME...", 1, -1, "Halt the processors of instances", "virga pause web",
      wait_options, cmd_pause,
      .completes = "instances" },
    { "resume", NULL, "NAME...", 1, -1, "Let paused instances go on", "virga resume web",
      wait_options, cmd_resume,
      .completes = "instances" },
    { "restart", NULL, "NAME...", 1, -1, "Shut instances down and start them", "virga restart web",
      wait_options, cmd_restart,
      .completes = "instances" },
    { "fork", NULL, "NAME", 1, 1, "Make running copies of a running instance, in a fraction of a second",
      "virga fork web --count 5", fork_options, cmd_fork,
      .completes = "instances" },
    { "resize", NULL, "NAME...", 1, -1, "Change processors and memory of instances, while they run",
      "virga resize web --cpus 4 --memory 4Gi", resize_options, cmd_resize,
      .completes = "instances" },
    { "exec", NULL, "NAME -- COMMAND...", 2, -1, "Run a command in an instance",
      "virga exec web -- uname -a", exec_options, cmd_exec, .options_end = 2,
      .completes = "instances" },
    { "cp", NULL, "FROM TO", 2, 2, "Copy a file to or from an instance (NAME:/PATH)",
      "virga cp notes.txt web:/tmp/notes.txt", NULL, cmd_cp },
    { "ssh", NULL, "[USER@]NAME [-- COMMAND...]", 1, -1,
      "Log in to an instance, or run a command there", "virga ssh web -- uptime", ssh_options,
      cmd_ssh, .options_end = 2,
      .completes = "instances" },
    { "console", NULL, "NAME", 1, 1, "Use the serial console of an instance; Ctrl-] leaves",
      "virga console web", NULL, cmd_console,
      .completes = "instances" },
    { "port-forward", NULL, "NAME [LOCAL:]REMOTE...", 2, -1,
      "Make ports of an instance reachable on this machine", "virga port-forward web 8080:80",
      forward_options, cmd_port_forward,
      .completes = "instances" },
    { "stdio-forward", NULL, "NAME PORT", 2, 2,
      "Connect standard input and output with a port of an instance",
      "virga stdio-forward web 22 --wait 60s", stdio_options, cmd_stdio_forward,
      .is_hidden = true },
    { "logs", NULL, "NAME", 1, 1, "Show what an instance wrote to its console",
      "virga logs web --tail 50 -f", log_options, cmd_logs,
      .completes = "instances" },
    { "screenshot", NULL, "NAME", 1, 1, "Save an instance's screen as PNG",
      "virga screenshot web -o web.png", screenshot_options, cmd_screenshot,
      .completes = "instances" },
    { "top", NULL, NULL, 0, 0, "Show what instances use, again and again", "virga top",
      top_options, cmd_top },
    { "image", "import", "NAME FILE|-|URL", 2, 2, "Make an image of a file or an address",
      "virga image import debian-12 debian-12-genericcloud-amd64.qcow2", import_options,
      cmd_image_import },
    { "image", "build", "micro|debian-12|debian-13", 1, 1, "Build an image with a recipe and import it",
      "virga image build micro", build_options, cmd_image_build,
      .completes = "=micro debian-12 debian-13" },
    { "image", "ls", NULL, 0, 0, "List images", "virga image ls", list_options, cmd_image_ls },
    { "image", "rm", "NAME...", 1, -1, "Delete images", "virga image rm debian-12", wait_options,
      cmd_image_rm,
      .completes = "images" },
    { "volume", "create", "NAME", 1, 1, "Make a volume", "virga volume create data --size 20Gi",
      volume_options, cmd_volume_create },
    { "volume", "ls", NULL, 0, 0, "List volumes", "virga volume ls", list_options, cmd_volume_ls },
    { "volume", "rm", "NAME...", 1, -1, "Delete volumes", "virga volume rm data", wait_options,
      cmd_volume_rm,
      .completes = "volumes" },
    { "snapshot", "create", "NAME INSTANCE", 2, 2, "Keep an instance as it is now, for others to begin as",
      "virga snapshot create warm web", snapshot_options, cmd_snapshot_create },
    { "snapshot", "ls", NULL, 0, 0, "List snapshots", "virga snapshot ls", list_options, cmd_snapshot_ls },
    { "snapshot", "rm", "NAME...", 1, -1, "Delete snapshots", "virga snapshot rm warm", wait_options,
      cmd_snapshot_rm,
      .completes = "snapshots" },
    { "network", "create", "NAME", 1, 1, "Make a network",
      "virga network create lab --ipv4 10.20.0.0/24", network_options, cmd_network_create },
    { "network", "ls", NULL, 0, 0, "List networks", "virga network ls", list_options,
      cmd_network_ls },
    { "network", "rm", "NAME...", 1, -1, "Delete networks", "virga network rm lab", wait_options,
      cmd_network_rm,
      .completes = "networks" },
    { "get", NULL, "KIND[,KIND...] [NAME...]", 1, -1, "Show objects of any kind",
      "virga get instances,volumes -o wide",
      get_options, cmd_get,
      .completes = "KIND" },
    { "describe", NULL, "KIND NAME | KIND/NAME", 1, 2, "Show an object with all its fields and its events",
      "virga describe instance web", NULL, cmd_describe,
      .completes = "KIND" },
    { "why", NULL, "KIND/NAME | KIND NAME | INSTANCE", 1, 2,
      "Tell what an object waits for, and what its autoscaler decided and from what", "virga why group/web",
      why_options, cmd_why,
      .completes = "KIND" },
    { "scale", NULL, "GROUP | KIND/NAME", 1, 2, "Set how many members a group has", "virga scale web --replicas 5",
      scale_options, cmd_scale,
      .completes = "instancegroups" },
    { "rollout", "status", "GROUP | KIND/NAME", 1, 2, "Wait until all members of a group are of its template",
      "virga rollout status web", NULL, cmd_rollout_status,
      .completes = "instancegroups" },
    { "rollout", "undo", "GROUP | KIND/NAME", 1, 2, "Go back to an earlier template of a group",
      "virga rollout undo web", undo_options, cmd_rollout_undo,
      .completes = "instancegroups" },
    { "rollout", "pause", "GROUP | KIND/NAME", 1, 2, "Replace no more members of a group",
      "virga rollout pause web", NULL, cmd_rollout_pause,
      .completes = "instancegroups" },
    { "rollout", "resume", "GROUP | KIND/NAME", 1, 2, "Go on replacing members of a group",
      "virga rollout resume web", NULL, cmd_rollout_resume,
      .completes = "instancegroups" },
    { "events", NULL, NULL, 0, 0, "Show what happened", "virga events -w", events_options,
      cmd_events },
    { "apply", NULL, NULL, 0, 0, "Make objects as manifests say, or change them to it",
      "virga apply -f web.yaml", apply_options, cmd_apply },
    { "create", NULL, NULL, 0, 0, "Make the objects of manifests", "virga create -f web.yaml",
      file_options, cmd_create },
    { "delete", NULL, "[KIND NAME... | KIND/NAME...]", 0, -1, "Delete objects by name or by manifest",
      "virga delete -f web.yaml", delete_options, cmd_delete,
      .completes = "KIND" },
    { "edit", NULL, "KIND NAME | KIND/NAME", 1, 2, "Change an object in your editor ($VISUAL, $EDITOR)",
      "virga edit instance web", NULL, cmd_edit,
      .completes = "KIND" },
    { "explain", NULL, "[KIND[.FIELD...]]", 0, 1, "Tell what kinds and fields there are",
      "virga explain instance.spec.networks", NULL, cmd_explain,
      .completes = "KIND" },
    { "kubeconfig", NULL, NULL, 0, 0, "Print a kubeconfig with which kubectl reaches this server",
      "virga kubeconfig -o admin.kubeconfig", kubeconfig_options, cmd_kubeconfig },
    { "token", "create", "NAME", 1, 1, "Make a bearer token and print it",
      "virga token create ci --group system:masters --ttl 720h", token_options, cmd_token_create },
    { "token", "ls", NULL, 0, 0, "List bearer tokens", "virga token ls", NULL, cmd_token_ls },
    { "token", "rm", "NAME...", 1, -1, "Revoke bearer tokens", "virga token rm ci", NULL,
      cmd_token_rm },
    { "audit", "log", "[HOST]", 0, 1, "Show who changed what, as JSON lines", "virga audit log -f",
      audit_options, cmd_audit_log,
      .completes = "hosts" },
    { "audit", "verify", "[HOST]", 0, 1, "Check that nobody has changed the audit log",
      "virga audit verify", NULL, cmd_audit_verify,
      .completes = "hosts" },
    { "autoscaler", "replay", "NAME", 1, 1, "Tell what a policy would have done with recorded load",
      "virga autoscaler replay web --last 1h -f web.yaml", replay_options, cmd_autoscaler_replay,
      .completes = "autoscalers" },
    { "autoscaler", "samples", "NAME", 1, 1, "Show what was measured each second, as JSON lines",
      "virga autoscaler samples web --last 1h", history_options, cmd_autoscaler_samples,
      .completes = "autoscalers" },
    { "autoscaler", "decisions", "NAME", 1, 1, "Show what was decided and from what, as JSON lines",
      "virga autoscaler decisions web --last 1h", history_options, cmd_autoscaler_decisions,
      .completes = "autoscalers" },
    { "metric", "push", "GROUP METRIC=VALUE...", 2, -1, "Tell a group's autoscaler a value of a custom metric",
      "virga metric push web jobs=12", push_options, cmd_metric_push,
      .completes = "instancegroups" },
    { "host", "ls", NULL, 0, 0, "List hosts", "virga host ls", list_options, cmd_host_ls },
    { "host", "shutdown", "[HOST]", 0, 1, "Stop all instances of a host in order",
      "virga host shutdown", NULL, cmd_host_shutdown,
      .completes = "hosts" },
    { "completion", NULL, "bash", 1, 1, "Print shell completion", "source <(virga completion bash)",
      NULL, cmd_completion,
      .completes = "=bash" },
    { "version", NULL, NULL, 0, 0, "Print the client's version", "virga version", NULL,
      cmd_version },
    { "help", NULL, "[COMMAND [SECOND]]", 0, 2, "Show help", "virga help run", NULL, cmd_help },
    { 0 },
};
