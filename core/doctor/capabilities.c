#include "core/doctor/capabilities.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/xattr.h>

int capabilities_of_file(const char *path, struct file_capabilities *found, struct error *err)
{
	struct vfs_ns_cap_data data;
	memset(&data, 0, sizeof(data));
	*found = (struct file_capabilities){.permitted = 0};
	ssize_t size = getxattr(path, "security.capability", &data, sizeof(data));
	if (size < 0 && (errno == ENODATA || errno == EOPNOTSUPP))
		return 0;
	if (size < 0)
		return error_errno(err, ERROR_SYSTEM, "cannot read the capabilities of %s", path);
	uint32_t version = le32toh(data.magic_etc) & VFS_CAP_REVISION_MASK;
	if (size < (ssize_t)XATTR_CAPS_SZ_2 ||
	    (version != VFS_CAP_REVISION_2 && version != VFS_CAP_REVISION_3))
		return error_set(err, ERROR_SYSTEM, "the capabilities of %s have an unknown format",
				 path);
	/* Capabilities of another user namespace have no effect here. */
	if (version == VFS_CAP_REVISION_3 && data.rootid != 0)
		return 0;
	for (int i = 0; i < 2; i++) {
		found->permitted |= (uint64_t)le32toh(data.data[i].permitted) << (32 * i);
		found->inheritable |= (uint64_t)le32toh(data.data[i].inheritable) << (32 * i);
	}
	return 0;
}

bool capabilities_are_given(const char *path)
{
	struct file_capabilities found;
	struct error ignored;
	return capabilities_of_file(path, &found, &ignored) == 0 && found.permitted != 0;
}
