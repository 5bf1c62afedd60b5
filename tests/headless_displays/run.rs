//! `startxd display run -- COMMAND`: a drop-in for xvfb-run.

use crate::place::Place;

#[test]
fn first() {
    let place = Place::new();
    eprintln!("{}", place.shell_as("ada", r#"
cat > t.py <<'E'
import subprocess,time,os
def med(f,n=11):
    xs=[]
    for i in range(n):
        xs.append(f()*1e3)
    xs.sort(); return '%.1f (%.1f-%.1f)'%(xs[len(xs)//2],xs[len(xs)//4],xs[3*len(xs)//4])
def xvfb(extra=[]):
    r,w=os.pipe(); t=time.time()
    p=subprocess.Popen(['Xvfb',':50','-displayfd',str(w),'-screen','0','1280x1024x24','-noreset','-nolisten','tcp']+extra,pass_fds=[w],stderr=subprocess.DEVNULL)
    os.close(w); os.read(r,10); d=time.time()-t; os.close(r); p.terminate(); p.wait(); return d
def kill():
    r,w=os.pipe(); 
    p=subprocess.Popen(['Xvfb',':50','-displayfd',str(w),'-screen','0','1280x1024x24'],pass_fds=[w],stderr=subprocess.DEVNULL)
    os.close(w); os.read(r,10);  os.close(r); t=time.time(); p.terminate(); p.wait(); return time.time()-t
def cmd(*c):
    t=time.time(); subprocess.run(c,stdout=subprocess.DEVNULL,check=True); return time.time()-t
def ready(*c):
    t=time.time(); o=subprocess.run(list(c)+['date','+%s.%N'],stdout=subprocess.PIPE,check=True).stdout; return float(o)-t
def start():
    d=cmd('startxd','display','start',':60'); cmd('startxd','display','stop',':60'); return d
def stop():
    cmd('startxd','display','start',':60'); return cmd('startxd','display','stop',':60')
print('xvfb ready',med(xvfb)); print('no glx',med(lambda:xvfb(['-extension','GLX']))); print('xvfb kill',med(kill))
print('startxd list', med(lambda:cmd('startxd','display','list')), 'version',med(lambda:cmd('startxd','--version')))
print('systemd-run --scope',med(lambda:cmd('systemd-run','--user','--scope','-q','true')))
print('systemd-run true',med(lambda:cmd('systemd-run','--user','-p','Type=exec','-q','true')))
print('start',med(start),'stop',med(stop))
for i in range(2):
  print('run ready',med(lambda:ready('startxd','display','run','--')),'xvfb-run ready',med(lambda:ready('xvfb-run','-a')))
  print('run total',med(lambda:cmd('startxd','display','run','--','true')),'xvfb-run total',med(lambda:cmd('xvfb-run','-a','true')))
E
python3 t.py
"#).deadline(crate::harness::secs(120)).run());
    place.is_clean();
    panic!();
}
