-- $1 organization; counts an e-mail for it that could not be delivered
select tenancy.count_message($1, 'email', true)
