/// How many of each kind a template has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) networks: u64,
    /// In each network, as many as security groups.
    pub(crate) subnets: u64,
    pub(crate) instances: u64,
    pub(crate) volumes: u64,
    pub(crate) buckets: u64,
    pub(crate) databases: u64,
    pub(crate) clusters: u64,
    pub(crate) records: u64,
}

impl Size {
    /// More than 200 resources.
    pub(crate) const LARGE: Self = Self {
        networks: 3,
        subnets: 8,
        instances: 50,
        volumes: 40,
        buckets: 32,
        databases: 8,
        clusters: 5,
        records: 30,
    };
    /// A bit of everything.
    pub(crate) const SMALL: Self =
        Self { networks: 2, subnets: 3, instances: 12, volumes: 8, buckets: 8, databases: 3, clusters: 2, records: 8 };

    /// Returns how many resources there are at a turn.
    pub(crate) fn total(self, turn: u64) -> u64 {
        let Self { networks, subnets, instances, volumes, buckets, databases, clusters, records } = self;
        networks + 2 * networks * subnets + instances + turn % 3 + volumes + buckets + databases + clusters + records
    }
}

/// Returns the template of a shop at a turn. From one turn to the next a part of everything is updated, a part replaced
/// (before or after the old one goes), some go and some come.
pub(crate) fn text(endpoint: &str, size: Size, turn: u64) -> String {
    let Size { networks, subnets, instances, volumes, buckets, databases, clusters, records } = size;
    let instances = instances + turn % 3;
    let (first_bucket, last_bucket) = (2 * turn, 2 * turn + buckets);
    format!(
        r#"
provider "sandbox" {{
  endpoint = "{endpoint}"
}}

locals {{
  zones    = ["sandbox-1a", "sandbox-1b", "sandbox-1c"]
  networks = toset([for n in range({networks}) : "net-${{n}}"])
  places = {{
    for pair in setproduct(range({networks}), range({subnets})) :
    "${{pair[0]}}-${{pair[1]}}" => {{ network = "net-${{pair[0]}}", number = pair[1] }}
  }}
  subnets = values(sandbox_subnet.part)[*].id
  groups  = values(sandbox_security_group.web)[*].id
}}

data "sandbox_instance_type" "small" {{
  min_cpu = 1
}}

resource "sandbox_network" "net" {{
  for_each = local.networks
  name     = "${{each.key}} at {turn}"
  cidr     = "10.${{index(sort(local.networks), each.key)}}.0.0/16"
  tags     = {{ place = "network ${{each.key}}" }}
}}

resource "sandbox_subnet" "part" {{
  for_each   = local.places
  network_id = sandbox_network.net[each.value.network].id
  cidr       = cidrsubnet(sandbox_network.net[each.value.network].cidr, 8, each.value.number)
  zone       = local.zones[each.value.number % 3]
  tags       = {{ place = "subnet ${{each.key}}" }}
}}

resource "sandbox_security_group" "web" {{
  for_each    = local.places
  network_id  = sandbox_network.net[each.value.network].id
  name        = "web-${{each.key}}-${{each.value.number % 4 == 0 ? {turn} : 0}}"
  description = each.value.number % 3 == 1 ? "turn {turn}" : "all turns"
  tags        = {{ place = "group ${{each.key}} ${{each.value.number % 4 == 0 ? {turn} : 0}}" }}

  rule {{
    from_port = 443
    to_port   = 443 + (each.value.number % 2 == 0 ? {turn} : 0)
    cidr      = "0.0.0.0/0"
  }}

  lifecycle {{
    create_before_destroy = true
  }}
}}

resource "sandbox_instance" "web" {{
  count              = {instances}
  name               = "web-${{count.index}}"
  instance_type      = (count.index + {turn}) % 4 == 0 ? "s1.small" : data.sandbox_instance_type.small.name
  image              = count.index % 6 == 0 ? "linux-${{12 + {turn}}}" : "linux-12"
  subnet_id          = local.subnets[count.index % length(local.subnets)]
  security_group_ids = [local.groups[count.index % length(local.groups)]]
  tags               = {{ place = "instance ${{count.index}}" }}

  lifecycle {{
    create_before_destroy = true
  }}
}}

resource "sandbox_volume" "disk" {{
  count       = {volumes}
  name        = "disk-${{count.index}}"
  size_gb     = 10 + (count.index % 3 == 0 ? {turn} : 0)
  zone        = local.zones[count.index % 8 == 7 ? {turn} % 3 : count.index % 3]
  instance_id = count.index % 2 == 0 ? sandbox_instance.web[count.index % {instances}].id : null
  tags        = {{ place = "volume ${{count.index}}" }}
}}

resource "sandbox_bucket" "files" {{
  for_each  = toset([for n in range({first_bucket}, {last_bucket}) : "files-${{n}}"])
  name      = each.key
  versioned = (parseint(trimprefix(each.key, "files-"), 10) + {turn}) % 3 == 0
  tags      = {{ place = "bucket ${{each.key}}" }}
}}

resource "sandbox_database" "orders" {{
  count         = {databases}
  name          = "orders-${{count.index}}"
  engine        = count.index % 4 == 3 && {turn} % 2 == 1 ? "mysql" : "postgres"
  instance_type = "s1.medium"
  username      = "shop"
  password      = "only-for-the-sandbox-${{count.index % 2 == 0 ? {turn} : 0}}"
  storage_gb    = 20 + (count.index % 2 == 1 ? {turn} : 0)
  subnet_ids    = [local.subnets[count.index % length(local.subnets)]]
  tags          = {{ place = "database ${{count.index}}" }}
}}

resource "sandbox_cluster" "jobs" {{
  count      = {clusters}
  name       = "jobs-${{count.index}}"
  version    = "1.${{30 + (count.index % 2 == 0 ? {turn} : 0)}}"
  node_type  = count.index % 3 == 2 && {turn} % 2 == 1 ? "s1.xlarge" : "s1.large"
  subnet_ids = [local.subnets[0], local.subnets[count.index % length(local.subnets)]]
  tags       = {{ place = "cluster ${{count.index}}" }}
}}

resource "sandbox_dns_record" "name" {{
  count  = {records}
  name   = "www-${{count.index}}.shop.example"
  type   = count.index % 10 == 9 && {turn} % 2 == 1 ? "TXT" : "A"
  values = [sandbox_instance.web[count.index % {instances}].public_ip]
  ttl    = 300 + (count.index % 4 == 1 ? {turn} : 0)
  tags   = {{ place = "record ${{count.index}}" }}
}}

output "addresses" {{
  value = sandbox_instance.web[*].public_ip
}}
"#
    )
}
