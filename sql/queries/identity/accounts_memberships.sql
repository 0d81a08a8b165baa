-- no parameters; the memberships of the signed-in account, as JSON
select identity.my_memberships() as memberships
