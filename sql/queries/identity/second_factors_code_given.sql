-- no parameters; resets the count of attempts: the code of the signed-in account was right
select identity.code_given()
