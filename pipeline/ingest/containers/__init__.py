"""Files, archives, workbooks and JSON documents to blocks of UTF-8 lines; also which files a dump holds, and their checksums.

May import `cells` and `pipeline.errors`.
"""
