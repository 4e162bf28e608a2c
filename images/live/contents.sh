# shellcheck shell=bash
# What the live image is made of, for `build`: packages, the programs and files taken from them, kernel drivers.
#
# A name with a question mark at its end may be missing on a release; without one the build fails when it is not there.
# Whatever libraries a program is linked with, and whatever modules a driver needs, come along by themselves.

# shellcheck disable=SC2034  # all of it is read by build
packages=(busybox-static dash util-linux util-linux-extra? mount fdisk kmod iproute2 pciutils ethtool lldpd dmidecode
    ipmitool nvme-cli hdparm sg3-utils smartmontools mdadm lvm2 dmsetup gdisk efibootmgr
    # firmware that cards load from files: only where the machine's apt has the non-free-firmware component
    firmware-bnx2? firmware-bnx2x? firmware-qlogic? firmware-netronome? firmware-cavium?)

# shellcheck disable=SC2034
programs=(dash lsblk blkid wipefs blkdiscard blockdev sfdisk swapoff rtcwake mount umount
    nvme hdparm smartctl sgdisk mdadm lvm dmsetup
    sg_inq sg_vpd sg_turs sg_readcap sg_opcodes sg_modes sg_logs sg_luns sg_requests sg_sanitize sg_format sg_write_same
    sg_unmap sg_start sg_reset sg_persist sg_raw sg_map26 sg_sat_identify sg_scan
    dmidecode lspci ethtool lldpd lldpcli ipmitool efibootmgr kmod ip bridge)

# shellcheck disable=SC2034
files=(usr/share/misc/pci.ids var/lib/smartmontools/drivedb/drivedb.h?)

# Folders of, or single modules below, lib/modules/VERSION/kernel.  What is built into the kernel counts as there.
# shellcheck disable=SC2034
drivers=(drivers/net/ethernet drivers/net/phy drivers/net/mdio drivers/net/pcs? drivers/net/virtio_net drivers/net/vmxnet3 drivers/net/usb
    drivers/net/hyperv? drivers/net/xen-netfront?
    drivers/ata drivers/nvme/host drivers/scsi drivers/message/fusion drivers/block/virtio_blk drivers/block/xen-blkfront?
    drivers/block/mtip32xx? drivers/cdrom drivers/virtio drivers/hv/hv_vmbus? drivers/pci/controller/vmd? drivers/pci/controller/pci-hyperv?
    drivers/md/dm-mod drivers/md/dm-mirror? drivers/md/dm-snapshot? drivers/md/dm-thin-pool? drivers/md/dm-raid?
    drivers/md/linear? drivers/md/raid0 drivers/md/raid1 drivers/md/raid10 drivers/md/raid456
    drivers/usb/host drivers/usb/storage drivers/hid/usbhid drivers/hid/hid drivers/hid/hid-generic
    drivers/char/ipmi drivers/char/hw_random drivers/char/tpm? drivers/firmware/iscsi_ibft? fs/efivarfs
    arch/x86/crypto/crc32c-intel? crypto/crc32c_generic? crypto/crct10dif_generic?)

# Left out of these folders: network storage (a SAN's disks are nobody's to wipe, and the image logs in nowhere), test drivers, drivers
# that poke at ISA ports, tapes and changers, and what only notebooks, telephones and museums have.  One extended regular expression.
# shellcheck disable=SC2034
without='scsi/(iscsi_tcp|libiscsi_tcp|be2iscsi|bnx2i|cxgbi|qla4xxx|qedi|qedf|bnx2fc|fcoe|libfc|bfa)|nvme/host/nvme-(fc|rdma|tcp)'
without+='|scsi/(scsi_debug|st\.|osst|ch\.|device_handler|ufs|pcmcia|aha|aic7xxx_old|ppa|imm|qlogicfas|sym53|wd719x|dc395x|dmx|am53c|fdomain|nsp32)'
without+='|ata/(pata_legacy|pata_isapnp|pata_pcmcia|pata_platform|pata_of)|usb/storage/ums-|usb/host/(sl811|u132|isp|oxu|max3421|r8a|fotg)'
without+='|net/ethernet/(3com|8390|adaptec|dec|dlink|fealnx|fujitsu|natsemi|packetengines|silan|sis|smsc|sun|tehuti|via|xircom)'
without+='|net/usb/(cdc-phonet|cdc_mbim|hso|huawei|ipheth|kalmia|lg-vl|qmi|rndis_wlan|sierra|zaurus)'
