-- $1 for how many seconds it can be restored
select tenancy.delete_organization(make_interval(secs => $1)) as purge_after
