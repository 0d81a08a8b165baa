-- $1 account_id, $2 id
delete from identity.sessions
where account_id = $1 and id = $2
returning id
