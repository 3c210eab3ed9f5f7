/* api/documents.h - what the server says about itself: version, health, discovery, OpenAPI.
 * Made when first asked for, kept, and answered with an ETag. */
#pragma once
#include "api/request.h"

struct documents;
struct documents *documents_new(struct api *api);
void documents_free(struct documents *documents);

void documents_run(struct request *request);
