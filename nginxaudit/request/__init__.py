"""What nginx does with one request: socket, server, rewrite, location, access, content, error pages, headers.

Data in, data out: `walk.trace` takes a configuration, a request and what is known of the world (which files exist,
what backends answer), and gives the steps and the outcomes. What cannot be known is a branch with its assumption in
words. Modules are named after the phases of nginx; what they do follows nginx's source, named in each.
"""
