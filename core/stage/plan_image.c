#include <stdio.h>
#include <string.h>

#include "core/lib/text.h"
#include "core/stage/plan.h"

/* The job's author, who chose the image, is told which one was refused. */
static int refuse(struct error *err, const char *key, const char *image, const char *why)
{
	char notice[ERROR_NOTICE_SIZE];
	char name[128];
	snprintf(name, sizeof(name), "%s", image);
	text_make_printable(name);
	snprintf(notice, sizeof(notice), "its image '%s' %s", name, why);
	error_set_key(err, key, ERROR_DENIED, "the image '%s' %s (%s)", name, why, key);
	return error_notify(err, notice);
}

/* An image that is a file does not come from a registry, so it needs an entry in the list. */
static bool is_allowed(const struct container_settings *container, const char *image)
{
	for (size_t i = 0; i < container->images.count; i++)
		if (image_name_matches(image, container->images.items[i]))
			return true;
	return container->images.count == 0 && image[0] != '/';
}

int plan_choose_image(struct plan *plan, struct error *err)
{
	const struct container_settings *container = &plan->settings->general.container;
	const char *wanted = plan->job.image;
	bool by_apptainer = container->runtime == CONTAINER_APPTAINER;
	if (container->runtime == CONTAINER_NONE || wanted[0] == '\0')
		return 0;
	if (!image_name_complete(wanted, by_apptainer, plan->image))
		return refuse(
			err, "general.container.runtime", wanted,
			by_apptainer
				? "is not the name of an image, such as "
				  "registry.example.com/group/app:1 in lower case, or the path "
				  "of a file *.sif"
				: "is not the name of an image, such as "
				  "registry.example.com/group/app:1 in lower case");
	if (plan->job.entrypoint[0] != '\0' && plan->job.entrypoint[0] != '[')
		return refuse(err, "general.container.runtime", wanted,
			      "has an entrypoint of more than 1000 bytes, or one that is no list "
			      "of strings");
	if (!is_allowed(container, plan->image))
		return refuse(err, "general.container.images", plan->image,
			      "is not one that this site permits");
	/* apptainer has no store of images: prepare makes a file of each image. */
	if (by_apptainer && container->pull == PULL_NEVER && plan->image[0] != '/')
		return refuse(err, "general.container.pull", plan->image,
			      "would have to be pulled, which this site does not do");
	return 0;
}

int plan_check_mounts(const struct plan *plan, struct error *err)
{
	const char *const mounts[] = {plan->workspace.builds_dir, plan->workspace.cache_dir,
				      plan->workspace.scripts_dir};
	for (size_t i = 0; plan->image[0] != '\0' && i < sizeof(mounts) / sizeof(mounts[0]); i++)
		if (strpbrk(mounts[i], ":,") != NULL)
			return error_set(err, ERROR_SYSTEM,
					 "the directory %s has a colon or a comma, and cannot be "
					 "mounted in a container: run this job without image:",
					 mounts[i]);
	return 0;
}
