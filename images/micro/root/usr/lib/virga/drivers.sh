# drivers.sh - loads the drivers of the virtual devices the machine has. Sourced by boot, services.

# load_drivers [NAME...] - and the drivers named; by the device types of the virtio standard, which is several times faster under
# emulation than looking the aliases up. Drivers of devices that are not there stay out.
load_drivers() {
    local file alias names=
    for file in /sys/bus/virtio/devices/*/modalias; do
        read -r alias <"$file" 2>/dev/null || continue
        case $alias in
        virtio:d00000001*) alias=virtio_net ;;
        virtio:d00000002*) alias=virtio_blk ;;
        virtio:d00000003*) alias=virtio_console ;;
        virtio:d00000004*) alias=virtio-rng ;;
        virtio:d00000005*) alias=virtio_balloon ;;
        virtio:d00000008*) alias="virtio_scsi sd_mod sr_mod" ;;
        virtio:d00000013*) alias=vmw_vsock_virtio_transport ;;
        virtio:d00000018*) alias=virtio_mem ;;
        virtio:d0000001A*) alias=virtiofs ;;
        virtio:d0000001B*) alias=virtio_pmem ;;
        *) continue ;;
        esac
        names="$names $alias"
    done
    [ -z "$names$*" ] || modprobe -a -q $names "$@"
}
