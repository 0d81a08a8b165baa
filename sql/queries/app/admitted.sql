-- no parameters; asks nothing: whether the caller may enter is the question
select true as admitted
