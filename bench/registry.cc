/* SPDX-License-Identifier: Apache-2.0 */
#include "registry.h"

namespace bench
{

std::vector<group> &groups()
{
	static std::vector<group> the_groups;

	return the_groups;
}

std::string name_of(const group &group, const variant &variant)
{
	std::string name = group.name();

	name += '/';
	name += variant.name;
	return name;
}

void add(const std::string &structure, const std::string &scenario, unit unit, variant variant)
{
	for (group &group : groups()) {
		if (group.structure == structure && group.scenario == scenario) {
			group.variants.push_back(std::move(variant));
			return;
		}
	}
	groups().push_back({structure, scenario, unit, {std::move(variant)}});
}

} // namespace bench
