import { statfs } from 'node:fs/promises'

/** What a folder is on. On a local one, whoever else uses the folder runs under this kernel. */
export interface FileSystem { name: string, isLocal: boolean }

/** `f_type` of statfs(2), from linux/magic.h and the file systems' own headers. */
const LOCAL = new Map([
  [0xEF53, 'ext4'], [0x58465342, 'XFS'], [0x9123683E, 'Btrfs'], [0x2FC12FC1, 'ZFS'], [0xF2F52010, 'F2FS'],
  [0xCA451A4E, 'bcachefs'], [0x3153464A, 'JFS'], [0x3434, 'NILFS'], [0x24051905, 'UBIFS'], [0xF15F, 'eCryptfs'],
  [0x794C7630, 'overlayfs'], [0x01021994, 'tmpfs'], [0x858458F6, 'ramfs'],
  [0x4D44, 'FAT'], [0x2011BAB0, 'exFAT'], [0x7366746E, 'NTFS'], [0x482B, 'HFS+']
])
const SHARED = new Map([
  [0x6969, 'NFS'], [0x517B, 'SMB'], [0xFE534D42, 'SMB'], [0xFF534D42, 'SMB'], [0x01021997, '9p'], [0x65735546, 'FUSE'],
  [0x00C36400, 'Ceph'], [0x5346414F, 'AFS'], [0x0BD00BD0, 'Lustre'], [0x47504653, 'GPFS'], [0x7461636F, 'OCFS2'],
  [0x01161970, 'GFS2'], [0x786F4256, 'vboxsf'], [0xBACBACBC, 'vmhgfs']
])

/** The file system of a folder. One that is not known to be local may be shared with other machines. */
export async function fileSystemOf (folder: string): Promise<FileSystem> {
  const type = (await statfs(folder)).type >>> 0 // some systems sign it
  // only Linux has these numbers, and containers
  if (process.platform !== 'linux') return { name: `file system 0x${type.toString(16)}`, isLocal: false }
  const local = LOCAL.get(type)
  return { name: local ?? SHARED.get(type) ?? `file system 0x${type.toString(16)}`, isLocal: local !== undefined }
}
